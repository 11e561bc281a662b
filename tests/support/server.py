"""What the HTTP servers of the tests have in common: a port of loopback, and threads of their own while entered."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from deploy.local.ports import LOOPBACK

POLL = 0.02
"""Seconds after which a server sees that it is to stop."""


class HttpServer:
    """Serves from when it is entered until it is left.

    Attributes:
        address: host and port.
        url: without a slash at the end.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], host: str = LOOPBACK) -> None:
        self._server = ThreadingHTTPServer((host, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL,), daemon=True)
        self.address = f"{host}:{self._server.server_port}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
