"""A small web server: fixed answers, redirects, and git repositories over HTTP."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.support.server import HttpServer

UPLOAD_PACK = "git-upload-pack"


class Web(HttpServer):
    """Serves on an address of loopback.

    Attributes:
        asked: the paths that were asked for.
    """

    def __init__(
        self,
        files: Mapping[str, bytes] | None = None,
        redirects: Mapping[str, str] | None = None,
        repositories: Path | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.asked: list[str] = []
        web, contents, elsewhere = self, files or {}, redirects or {}

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                web.asked.append(path)
                if path in elsewhere:
                    self._answer(302, b"", Location=elsewhere[path])
                elif path in contents:
                    self._answer(200, contents[path])
                elif repositories and path.endswith("/info/refs") and query == f"service={UPLOAD_PACK}":
                    refs = self._upload_pack(path.removesuffix("/info/refs"), b"", "--advertise-refs")
                    head = f"# service={UPLOAD_PACK}\n"
                    greeting = f"{len(head) + 4:04x}{head}0000".encode()
                    self._answer(200, greeting + refs, **{"Content-Type": f"application/x-{UPLOAD_PACK}-advertisement"})
                else:
                    self._answer(404, b"")

            def do_POST(self) -> None:
                web.asked.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                pack = self._upload_pack(self.path.removesuffix(f"/{UPLOAD_PACK}"), body)
                self._answer(200, pack, **{"Content-Type": f"application/x-{UPLOAD_PACK}-result"})

            def _upload_pack(self, path: str, body: bytes, *options: str) -> bytes:
                assert repositories is not None
                command = ["git", "upload-pack", "--stateless-rpc", *options, str(repositories / path.lstrip("/"))]
                return subprocess.run(command, input=body, capture_output=True, check=True).stdout

            def _answer(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler, address)
