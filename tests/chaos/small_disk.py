"""A disk so small that it can be filled: a tmpfs of some MiB."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

MIB = 2**20


class SmallDisk:
    """Mounted at `path` while entered; what is there already is hidden meanwhile. Needs root."""

    def __init__(self, path: Path, mebibytes: int) -> None:
        self.path = path
        self._size = mebibytes

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        options = f"size={self._size}m,mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.path], check=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        subprocess.run(["umount", "--lazy", self.path], check=True)

    @property
    def free(self) -> float:
        """MiB that are free."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize / MIB

    @contextmanager
    def filled(self, leaving: float) -> Iterator[None]:
        """Take all the space but some MiB."""
        ballast = self.path / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, int((self.free - leaving) * MIB)))
        try:
            yield
        finally:
            ballast.unlink()
