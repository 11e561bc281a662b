"""Blobs of a store that is elsewhere, kept in a folder of this machine: the least recently used go first."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from shipway.storage.blobs import BlobStore

FETCHES = 8
"""Blobs fetched at the same time, so that a store's latency is not paid blob by blob."""


class _Kept(NamedTuple):
    used: float
    size: int
    path: Path


class BlobCache:
    """A folder for all slots of a worker, each a process of its own.

    Any of them may remove what another one has just fetched: whoever misses a file fetches it again. A file that is
    open stays readable.

    Args:
        blobs: where they come from.
        folder: where they are kept, by project.
        limit: bytes that they may take together.
    """

    def __init__(self, blobs: BlobStore, folder: Path, limit: int) -> None:
        self._blobs = blobs
        self._folder = folder
        self._limit = limit
        self._room = asyncio.Semaphore(FETCHES)

    def path(self, project: str, blob: str) -> Path:
        """Where a blob is once it is fetched."""
        return self._folder / project / blob

    async def have(self, project: str, blobs: Iterable[str]) -> None:
        """Fetch those of some blobs that are not here, several at a time, and make room for them.

        Raises:
            FileNotFoundError: the store has not got one of them; its name is the argument.
            Unavailable: the store is out of reach.
        """
        lacking = [blob for blob in blobs if not _touched(self.path(project, blob))]
        if not lacking:
            return
        try:
            async with asyncio.TaskGroup() as group:
                for blob in lacking:
                    group.create_task(self._fetch(project, blob))
        except* Exception as faults:  # noqa: BLE001  (the others are its consequences)
            raise faults.exceptions[0] from None
        await asyncio.to_thread(self._make_room)

    async def _fetch(self, project: str, blob: str) -> None:
        path = self.path(project, blob)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        async with self._room:
            try:
                with partial.open("wb") as file:
                    async for chunk in self._blobs.read(project, blob):
                        file.write(chunk)
                partial.rename(path)
            except FileNotFoundError as fault:
                raise FileNotFoundError(blob) from fault
            finally:
                partial.unlink(missing_ok=True)

    def _make_room(self) -> None:
        kept = [found for folder in self._folder.iterdir() for found in _listed(folder)]
        size = sum(each.size for each in kept)
        for each in sorted(kept):
            if size <= self._limit:
                return
            each.path.unlink(missing_ok=True)
            size -= each.size


def _touched(path: Path) -> bool:
    """Whether a file is there; it counts as used just now."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _listed(folder: Path) -> list[_Kept]:
    """What is kept of one project. Folders of running jobs, which are none, are left alone."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                found.append(_Kept(status.st_mtime, status.st_size, Path(entry.path)))
    return found
