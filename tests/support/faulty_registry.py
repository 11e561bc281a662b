"""A proxy before a real registry that refuses, fails or hangs up where a test wants it to."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from deploy.local.ports import LOOPBACK
from tests.support.server import HttpServer

CHUNK = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for `close` to send a reset at once."""
FOREVER = 1 << 30


@dataclass(slots=True)
class Fault:
    """What happens to requests that fit, so many times.

    Attributes:
        request: method and path, as a pattern: `PUT .*/manifests/`.
        status: answered in place of the registry; 0 to hang up in the middle of the body.
        times: how often.
        headers: of the answer.
        seen: how often it happened.
    """

    request: str
    status: int
    times: int = FOREVER
    headers: Mapping[str, str] = field(default_factory=dict)
    seen: int = 0

    def takes(self, request: str) -> bool:
        return self.seen < self.times and re.match(self.request, request) is not None


CODES = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 429: "TOOMANYREQUESTS"}


class FaultyRegistry(HttpServer):
    """Passes everything to the registry on a port of this machine, but for the faults it is told."""

    def __init__(self, target: int) -> None:
        self.faults: list[Fault] = []
        self.uploaded: dict[str, int] = {}
        registry = self

        class Handler(_Handler):
            owner = registry
            upstream = target

        super().__init__(Handler)

    def fault(
        self, request: str, status: int, *, times: int = FOREVER, headers: Mapping[str, str] | None = None
    ) -> Fault:
        """From now on, answer requests that fit so (0: hang up in mid-body)."""
        made = Fault(request, status, times, dict(headers or {}))
        self.faults.append(made)
        return made

    def heal(self) -> None:
        """Have no faults any more."""
        self.faults.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FaultyRegistry
    upstream: int

    def handle_one_request(self) -> None:
        with suppress(OSError):
            super().handle_one_request()

    def _pass(self) -> None:
        fault = next((f for f in self.owner.faults if f.takes(f"{self.command} {self.path}")), None)
        if fault is None:
            self._forward()
            return
        fault.seen += 1
        if fault.status:
            self._refuse(fault)
        elif self.command in ("PATCH", "PUT"):
            next(self._body(), None)
            self._hang_up()
        else:
            self._forward(whole=False)

    do_GET = do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = _pass  # noqa: N815  (the base class looks for them)

    def _refuse(self, fault: Fault) -> None:
        for _ in self._body():
            pass
        error = {"code": CODES.get(fault.status, "UNKNOWN"), "message": f"the proxy says {fault.status}"}
        body = json.dumps({"errors": [error]}).encode()
        self.send_response(fault.status)
        if fault.status == 401 and "WWW-Authenticate" not in fault.headers:
            self.send_header("WWW-Authenticate", 'Basic realm="faulty"')
        for name, value in {**fault.headers, "Content-Type": "application/json", "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _forward(self, *, whole: bool = True) -> None:
        connection = http.client.HTTPConnection(LOOPBACK, self.upstream, timeout=60)
        try:
            chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
            # Docker sends one Accept for each kind of manifest, in any order: each counts.
            names = {name.lower() for name in self.headers} - {"connection", "expect"}
            headers = {name: ", ".join(self.headers.get_all(name, [])) for name in names}
            connection.request(self.command, self.path, body=self._counted(), headers=headers, encode_chunked=chunked)
            self._answer(connection.getresponse(), whole=whole)
        finally:
            connection.close()

    def _answer(self, answer: http.client.HTTPResponse, *, whole: bool) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        if "Content-Length" not in answer.headers and answer.status not in (204, 304):
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        left = int(answer.headers.get("Content-Length") or FOREVER) // (1 if whole else 2)
        while left and (chunk := answer.read(min(CHUNK, left))):
            self.wfile.write(chunk)
            left -= len(chunk)
        if not whole:
            self._hang_up()

    def _counted(self) -> Iterator[bytes]:
        for chunk in self._body():
            self.owner.uploaded[self.command] = self.owner.uploaded.get(self.command, 0) + len(chunk)
            yield chunk

    def _body(self) -> Iterator[bytes]:
        """The request's body, chunked or of a known length."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            left = int(self.headers.get("Content-Length") or 0)
            while left and (chunk := self.rfile.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk
            return
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it so)
        """Say nothing."""
