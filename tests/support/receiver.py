"""A receiver of webhooks on loopback: keeps what is posted to it, and answers as it is told."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Posted:
    """One request: its headers in lower case, and its body."""

    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def job(self) -> str:
        """Id of the job that it tells of; '' for a test."""
        return str((self.message.get("data") or {}).get("id", ""))


class Receiver:
    """Takes messages while entered; it may be entered again, on the same port.

    Attributes:
        posted: what has come, oldest first.
        answers: statuses of the next answers; then 204.
        redirect: where answers with 307 lead.
    """

    def __init__(self, answers: list[int] | None = None, redirect: str = "", host: str = "127.0.0.1") -> None:
        self.posted: list[Posted] = []
        self.answers = answers or []
        self.redirect = redirect
        self.answering = threading.Event()
        self.answering.set()
        self._host = host
        self._server = self._bound(0)
        self._port = self._server.server_port
        self._server.server_close()
        self.url = f"http://{host}:{self._port}/hook"

    def about(self, job_id: str) -> list[Posted]:
        """What came about a job."""
        return [posted for posted in self.posted if posted.job == job_id]

    def __enter__(self) -> Self:
        self._server = self._bound(self._port)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()

    def _bound(self, port: int) -> ThreadingHTTPServer:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posted.append(Posted({k.lower(): v for k, v in self.headers.items()}, body))
                receiver.answering.wait()
                status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                if receiver.redirect:
                    self.send_header("Location", receiver.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return ThreadingHTTPServer((self._host, port), Handler)
