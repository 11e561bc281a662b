"""The ground of a command: the thread that runs it, which waits by blocking."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import h11

from shipway.client.ground import CONNECT_TIMEOUT, LOOPBACK, Answer, Request
from shipway.client.refusals import unreachable

T = TypeVar("T")

_READ = 64 * 1024


def run_alone(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that stands on `Alone` to its end: whatever it waits for blocks, so it never lets go."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("this coroutine needs an event loop")


def reachable_alone(url: str) -> bool:
    """Whether a service can be spoken to directly. Proxies, and logins in URLs, are httpx's affair."""
    parts = urlsplit(url)
    if parts.hostname in LOOPBACK:
        return parts.username is None
    proxies = sys.platform == "darwin" or any(name.lower().endswith("_proxy") and value for name, value in _env())
    return parts.username is None and not proxies


def _env() -> Iterable[tuple[str, str]]:
    return os.environ.items()


class Alone:
    """Speaks HTTP/1.1 over sockets of its own, one request after the other on each."""

    def __init__(self, url: str, timeout: float, headers: Mapping[str, str]) -> None:
        self.url = url
        self._parts = urlsplit(url)
        self._timeout = timeout
        self._headers = {"Host": self._parts.netloc, "Accept": "*/*", "Accept-Encoding": "identity", **headers}
        self._idle: list[_Line] = []

    async def send(self, request: Request) -> Answer:
        line = None
        try:
            line = self._line()
            line.socket.settimeout(request.patience or self._timeout)
            await line.send(self._head(request), request.body)
            status, headers = line.response()
        except (OSError, h11.ProtocolError) as fault:
            if line is not None:
                line.close()
            raise unreachable(self.url, fault, late=isinstance(fault, TimeoutError)) from fault
        except BaseException:
            if line is not None:
                line.close()
            raise
        return Answer(status, headers, self._chunks(line), lambda: self._done(line))

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251  (nobody else is here)

    async def iterate(self, make: Callable[[], Iterable[T]]) -> AsyncGenerator[T, None]:
        for value in make():
            yield value

    async def call(self, function: Callable[[], T]) -> T:
        return function()

    async def together(self, works: Sequence[Coroutine[Any, Any, None]]) -> None:
        faults: list[Exception] = []

        def run(work: Coroutine[Any, Any, None]) -> None:
            try:
                run_alone(work)
            except Exception as fault:  # noqa: BLE001  (it is raised again below)
                faults.append(fault)

        # Daemon threads don't keep the command from ending after Ctrl-C.
        threads = [threading.Thread(target=run, args=[work], daemon=True) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise ExceptionGroup("some of several things failed", faults)

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _line(self) -> _Line:
        """A connection on which nothing is under way: one that is still open, or a new one."""
        while (line := self._took()) is not None:
            if line.open:
                return line
            line.close()
        return _Line(self._connected())

    def _took(self) -> _Line | None:
        try:
            return self._idle.pop()
        except IndexError:  # several threads may ask
            return None

    def _connected(self) -> socket.socket:
        secure = self._parts.scheme == "https"
        name, port = self._parts.hostname or "", self._parts.port or (443 if secure else 80)
        # As text it would load the codec for names of other letters, which takes longer than to connect.
        host = cast("str", name.encode()) if name.isascii() else name
        connected = socket.create_connection((host, port), min(self._timeout, CONNECT_TIMEOUT))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _secured(connected, name) if secure else connected

    def _head(self, request: Request) -> h11.Request:
        headers = {**self._headers, **request.headers}
        if not isinstance(request.body, bytes):
            headers["Transfer-Encoding"] = "chunked"
        elif request.body or request.method != "GET":
            headers["Content-Length"] = str(len(request.body))
        return h11.Request(
            method=request.method, target=self._parts.path.rstrip("/") + request.path, headers=list(headers.items())
        )

    async def _chunks(self, line: _Line) -> AsyncGenerator[bytes, None]:
        try:
            while chunk := line.chunk():
                yield chunk
        except (OSError, h11.ProtocolError) as fault:
            raise unreachable(self.url, fault, late=isinstance(fault, TimeoutError)) from fault

    async def _done(self, line: _Line) -> None:
        if line.reusable():
            self._idle.append(line)
        else:
            line.close()


class _Line:
    """One connection: a socket, and h11's view of what goes over it."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._http = h11.Connection(h11.CLIENT)

    @property
    def open(self) -> bool:
        """Whether the other side has not hung up: it has nothing to say while nothing is asked."""
        return not select.select([self.socket], [], [], 0)[0]

    async def send(self, head: h11.Request, body: bytes | Callable[[], AsyncGenerator[bytes, None]]) -> None:
        """Send a request. Should the other side hang up meanwhile, it may have answered before."""
        start = self._http.send(head)
        try:
            if isinstance(body, bytes):
                self.socket.sendall((start or b"") + self._data(body) + self._end())
                return
            self.socket.sendall(start or b"")
            async for chunk in body():
                self.socket.sendall(self._data(chunk))
            self.socket.sendall(self._end())
        except (BrokenPipeError, ConnectionResetError):
            return

    def response(self) -> tuple[int, dict[str, str]]:
        """Read until the final answer's head is there."""
        while not isinstance(event := self._next(), h11.Response):
            if isinstance(event, h11.ConnectionClosed):
                raise ConnectionResetError("the connection was closed without an answer")
        return event.status_code, {name.decode(): value.decode("latin-1") for name, value in event.headers}

    def chunk(self) -> bytes:
        """The next bytes of the body; none at its end."""
        event = self._next()
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    def reusable(self) -> bool:
        """Make ready for another request, if the last one's answer has been read and the other side stays."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def close(self) -> None:
        self.socket.close()

    def _next(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(self.socket.recv(_READ))
        return event

    def _data(self, chunk: bytes) -> bytes:
        return (self._http.send(h11.Data(data=chunk)) or b"") if chunk else b""

    def _end(self) -> bytes:
        return self._http.send(h11.EndOfMessage()) or b""


def _secured(connected: socket.socket, host: str) -> socket.socket:
    """Speak TLS, trusting whom httpx trusts: `SSL_CERT_FILE` and `SSL_CERT_DIR`, or else certifi's list."""
    import ssl  # noqa: PLC0415  (plain HTTP doesn't need it)

    import certifi  # noqa: PLC0415

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    context = ssl.create_default_context(cafile=file or (None if folder else certifi.where()), capath=folder)
    return context.wrap_socket(connected, server_hostname=host)
