"""Build sources on 127.0.0.1: files and git repositories over HTTP, and the same repositories by `git://`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.local.ports import LOOPBACK, free_port, is_free
from deploy.local.processes import Child
from tests.support.server import HttpServer

AUTHOR = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class SourceServer(HttpServer):
    """Serves a folder: files as they are, what lies below `NAME.git/` through `git http-backend`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

        class Handler(_Handler):
            root = folder

        super().__init__(Handler)


class GitDaemon:
    """Serves the repositories of a folder by `git://`."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        options = ["--reuseaddr", "--export-all", f"--listen={LOOPBACK}", f"--port={self._port}"]
        self._child = Child(
            "git daemon", ["git", "daemon", *options, f"--base-path={folder}"], log=folder / "git-daemon.log"
        )

    @property
    def url(self) -> str:
        """Of the folder, without a slash at the end."""
        return f"git://{LOOPBACK}:{self._port}"

    def __enter__(self) -> Self:
        self._child.start(lambda: not is_free(self._port))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._child.stop()


class Repository:
    """A repository with a working tree beside the bare one that is served."""

    def __init__(self, folder: Path, name: str) -> None:
        self.served = folder / f"{name}.git"
        self.tree = folder / f"{name}.tree"
        _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", self.served)
        _git(folder, "init", "--quiet", "--initial-branch=main", self.tree)

    def commit(self, files: Mapping[str, bytes], *, branch: str = "main") -> str:
        """Commit files to a branch, which is made if need be, and serve it; returns the commit's digest."""
        for path, content in files.items():
            (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / path).write_bytes(content)
        self.git("checkout", "--quiet", "-B", branch)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a commit")
        self.git("push", "--quiet", "--force", self.served, branch)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *words: str | Path) -> str:
        """Run git in the working tree; returns what it wrote."""
        return _git(self.tree, *words)


class _Handler(SimpleHTTPRequestHandler):
    root: Path

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(self.root))

    def do_GET(self) -> None:
        if ".git/" in self.path:
            self._backend()
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self._backend()

    def _backend(self) -> None:
        """Run git's own CGI program: https://git-scm.com/docs/git-http-backend."""
        path, _, query = self.path.partition("?")
        length = self.headers.get("Content-Length", "0")
        env = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": length,
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        ran = subprocess.run(
            ["git", "http-backend"],
            input=self.rfile.read(int(length)),
            env={**os.environ, **env},
            capture_output=True,
            check=True,
        )
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _git(folder: Path, *words: str | Path) -> str:
    env = {**os.environ, **AUTHOR}
    return subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=True).stdout
