"""Hashes the files of a directory on threads: hashlib lets the others run meanwhile."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from shipway.client.statcache import line_of, settled
from shipway.context.contents import PART, parts_of
from shipway.context.packs import SMALL
from shipway.context.reading import Piece, changed, opened, read_piece
from shipway.context.walk import LocalFile

MAX_THREADS = 8
_BATCH = 32
"""Pieces that a thread takes at a time: most are small, and taking one costs as much as hashing it."""

T = TypeVar("T")
R = TypeVar("R")


class Hashed(NamedTuple):
    """A file as it was read.

    Attributes:
        line: what told it from a changed one (`line_of`).
        parts: SHA-256 (hexadecimal) of each part of its content.
        settled: whether that can be remembered: nothing changed it at the same time.
        content: all that is in it, if there is room to keep that.
    """

    line: str
    parts: tuple[str, ...]
    settled: bool
    content: bytes | None = None


class Room:
    """Memory for contents between the reading of a file and its sending; any thread may take of it."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._taking = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes; it is taken then."""
        with self._taking:
            fits = size <= self._left
            if fits:
                self._left -= size
            return fits

    def give(self, size: int) -> None:
        """Give back what was taken."""
        with self._taking:
            self._left += size


def hash_files(files: Iterable[LocalFile], room: Room) -> Iterator[Hashed]:
    """Hash the content of files that have any; yields what they are in their order.

    Small contents are kept as long as there is room: whoever has no more use for one gives its bytes back.

    Raises:
        ContextError: a file can't be read (`context-unreadable`), or changes meanwhile (`context-file-changed`).
    """
    pieces = [Piece(file, *part) for file in files for part in parts_of(file.size)]
    batches = [pieces[start : start + _BATCH] for start in range(0, len(pieces), _BATCH)]
    if any(piece.size == PART for piece in pieces):
        batches = [[piece] for piece in pieces]
    parts: list[Hashed] = []
    for batch, results in on_threads(batches, lambda batch: [_hash(piece, room) for piece in batch]):
        for piece, result in zip(batch, results, strict=True):
            parts.append(result)
            if piece.offset + piece.size == piece.file.size:
                yield _joined(piece.file.path, parts)
                parts = []


def _joined(path: str, parts: Sequence[Hashed]) -> Hashed:
    if len(parts) == 1:
        return parts[0]
    line = parts[0].line
    if any(part.line != line for part in parts):
        raise changed(path)
    digests = tuple(digest for part in parts for digest in part.parts)
    return Hashed(line, digests, all(part.settled for part in parts))


def _hash(piece: Piece, room: Room) -> Hashed:
    began = time.time_ns()
    total = hashlib.sha256()
    keeping = piece.file.size < SMALL and room.take(piece.size)
    chunks: list[bytes] = []
    with opened(piece.file) as descriptor:
        status = os.fstat(descriptor)
        if status.st_size != piece.file.size:
            raise changed(piece.file.path)
        for chunk in read_piece(descriptor, piece):
            total.update(chunk)
            if keeping:
                chunks.append(chunk)
        line = line_of(piece.file.path, status)
        kept = settled(status, began) and line == line_of(piece.file.path, os.fstat(descriptor))
    return Hashed(line, (total.hexdigest(),), kept, b"".join(chunks) if keeping else None)


def on_threads(items: Sequence[T], work: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    """Do work on all items, on as many threads as there are processors, and yield what it comes to in their order.

    The first failure is raised. Daemon threads, as in `shipway.client.threads`: they don't keep a process from ending.
    """
    if len(items) == 1:
        yield items[0], work(items[0])
        return
    from queue import SimpleQueue  # noqa: PLC0415  (a small directory needs no threads)

    places = iter(range(len(items)))
    done: SimpleQueue[tuple[int, R] | Exception] = SimpleQueue()
    over: list[bool] = []

    def run() -> None:
        try:
            while not over and (place := next(places, None)) is not None:
                done.put((place, work(items[place])))
        except Exception as fault:  # noqa: BLE001  (it is raised again below)
            done.put(fault)

    for _ in range(min(len(items), MAX_THREADS, os.cpu_count() or 1)):
        threading.Thread(target=run, name="shipway-hash", daemon=True).start()
    early: dict[int, R] = {}
    try:
        for place, item in enumerate(items):
            while place not in early:
                result = done.get()
                if isinstance(result, Exception):
                    raise result
                early[result[0]] = result[1]
            yield item, early.pop(place)
    finally:
        over.append(True)
