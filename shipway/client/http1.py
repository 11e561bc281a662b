"""HTTP/1.1 over one socket: as much of it as a client of one service needs (RFC 9112), and quick to load.

The libraries for it take longer to load than all that `shipway build` does when nothing has changed
(`docs/decisions/0017-a-light-command.md`). In the tests one of them speaks the other side.
"""

from __future__ import annotations

import select
import socket
from collections.abc import AsyncGenerator, Callable, Mapping

_READ = 64 * 1024
_MAX_HEAD = 64 * 1024
"""Bytes of an answer's head, or of a line or the trailer of a chunked body."""
_DIGITS = {10: "0123456789", 16: "0123456789abcdefABCDEF"}
_MAX_DIGITS = 18
"""Of a length: more would be no length of anything."""
_CODE = 3
"""Digits of a status."""
_INFORMATIONAL, _WITHOUT_BODY = range(100, 200), (204, 304)


class BrokenAnswerError(ConnectionError):
    """What came is no answer of a service that speaks HTTP/1.1, or breaks off."""


class Line:
    """One connection, and what of an answer is still to come on it.

    Everything raises OSError when the connection fails, `BrokenAnswerError` among them.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._buffer = bytearray()
        self._chunked = False
        self._left: int | None = 0  # of the body, or of its present chunk; None: until the other side hangs up
        self._sent = False
        self._kept = True

    @property
    def open(self) -> bool:
        """Whether the other side has not hung up: it has nothing to say while nothing is asked."""
        return not select.select([self.socket], [], [], 0)[0]

    async def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | Callable[[], AsyncGenerator[bytes, None]],
    ) -> None:
        """Send a request. Should the other side hang up meanwhile, it may have answered before.

        A body of bytes is sent with its length; what an iterator yields, which may block, in chunks.
        """
        self._sent = False
        framing = {}
        if not isinstance(body, bytes):
            framing = {"Transfer-Encoding": "chunked"}
        elif body or method != "GET":
            framing = {"Content-Length": str(len(body))}
        head = _head(method, target, {**headers, **framing})
        try:
            if isinstance(body, bytes):
                self.socket.sendall(head + body)
            else:
                self.socket.sendall(head)
                async for chunk in body():
                    if chunk:
                        self.socket.sendall(b"".join((b"%x\r\n" % len(chunk), chunk, b"\r\n")))
                self.socket.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self._kept = False
            return
        self._sent = True

    def response(self) -> tuple[int, dict[str, str]]:
        """Read the final answer's head: status, and headers by their names in lower case."""
        while True:
            first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = self._status(first)
            headers = dict(map(_field, lines))
            if status not in _INFORMATIONAL:
                break
        if "close" in headers.get("connection", "").lower():
            self._kept = False
        self._frame(status, headers)
        return status, headers

    def chunk(self) -> bytes:
        """The next bytes of the body; none at its end."""
        if self._left == 0 and self._chunked:
            self._left = self._next_chunk()
        if self._left == 0:
            return b""
        if not self._buffer and not self._receive():
            if self._left is None:  # that was its end
                self._left, self._kept = 0, False
                return b""
            raise BrokenAnswerError("the answer breaks off")
        taken = self._take(len(self._buffer) if self._left is None else min(self._left, len(self._buffer)))
        if self._left is not None:
            self._left -= len(taken)
            if self._left == 0 and self._chunked and self._until(b"\r\n"):
                raise BrokenAnswerError("a chunk is longer than it says")
        return taken

    @property
    def reusable(self) -> bool:
        """Whether the last answer has been read and the other side stays."""
        return self._kept and self._sent and self._left == 0 and not self._chunked and not self._buffer

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _status(self, line: str) -> int:
        version, _, rest = line.partition(" ")
        code = rest.partition(" ")[0]
        if version not in ("HTTP/1.1", "HTTP/1.0") or len(code) != _CODE or code.strip(_DIGITS[10]):
            raise BrokenAnswerError("what answers is not HTTP")
        if version == "HTTP/1.0":
            self._kept = False
        return int(code)

    def _frame(self, status: int, headers: Mapping[str, str]) -> None:
        """See how long the body is."""
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        self._chunked, self._left = False, None
        if status in _WITHOUT_BODY:
            self._left = 0
        elif coding is not None:
            if coding.lower() != "chunked":
                raise BrokenAnswerError(f"the answer comes as {coding[:40]!r}, which nobody asked for")
            self._chunked, self._left = True, 0
        elif length is not None:
            self._left = _number(length, 10)

    def _next_chunk(self) -> int:
        """Read the size of the next chunk; behind the last one, all that is left."""
        size = _number(self._until(b"\r\n").partition(b";")[0].decode("latin-1").strip(), 16)
        if not size:
            self._chunked = False
            while self._until(b"\r\n"):  # trailers
                pass
        return size

    def _until(self, end: bytes) -> bytes:
        """Read what comes before some bytes, and them."""
        looked = 0
        while (at := self._buffer.find(end, looked)) < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise BrokenAnswerError("a line or the head of the answer is too long")
            looked = max(0, len(self._buffer) - len(end))
            if not self._receive():
                raise BrokenAnswerError("the connection was closed without a whole answer")
        found = self._take(at)
        del self._buffer[: len(end)]
        return found

    def _receive(self) -> bool:
        """Wait for more; False when there is none, and never will be."""
        received = self.socket.recv(_READ)
        self._buffer += received
        return bool(received)

    def _take(self, size: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken


def _head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise BrokenAnswerError("the request holds what no head of HTTP can")
    return "\r\n".join([*lines, "", ""]).encode()


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise BrokenAnswerError("a header of the answer is none")
    return name.lower(), value.strip(" \t")


def _number(text: str, base: int) -> int:
    if not text or text.strip(_DIGITS[base]) or len(text) > _MAX_DIGITS:
        raise BrokenAnswerError("a length in the answer is none")
    return int(text, base)
