"""The `shipway` command as a user runs it: a process of its own against the running stack."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

SHIPWAY = Path(sys.executable).with_name("shipway")
LIMIT = 90.0
"""Seconds that one command may take."""


@dataclass(frozen=True)
class Shipway:
    """Runs `shipway` against one service, with a token for it, in one folder."""

    url: str
    token: str
    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        home = {"HOME": str(self.folder), "DOCKER_CONFIG": str(self.folder / ".docker")}
        return {**os.environ, **home, "SHIPWAY_URL": self.url, "SHIPWAY_TOKEN": self.token, **self.more}

    def __call__(
        self, *words: str | Path, stdin: bytes = b"", limit: float = LIMIT
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; standard input is empty unless given."""
        done = subprocess.run(
            [SHIPWAY, *map(str, words)],
            input=stdin,
            capture_output=True,
            env=self.env,
            cwd=self.folder,
            timeout=limit,
            check=False,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *words: str | Path, stdin: bytes = b"", limit: float = LIMIT) -> str:
        """Run a command that must succeed; returns what it wrote on standard output."""
        done = self(*words, stdin=stdin, limit=limit)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *words: str | Path, stdout: IO[bytes] | int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            [SHIPWAY, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=self.env,
            cwd=self.folder,
            text=True,
        )


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a folder, which is made."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
