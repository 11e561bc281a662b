"""Hashes the files of a directory on threads: hashlib lets the others run meanwhile."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from shipway.client.statcache import line_of, settled
from shipway.context.contents import PART, parts_of
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
    """

    line: str
    parts: tuple[str, ...]
    settled: bool


def hash_files(files: Iterable[LocalFile]) -> dict[str, Hashed]:
    """Hash the content of files; by path.

    Raises:
        ContextError: a file can't be read (`context-unreadable`), or changes meanwhile (`context-file-changed`).
    """
    pieces = [Piece(file, *part) for file in files for part in parts_of(file.size)]
    batches = [pieces[start : start + _BATCH] for start in range(0, len(pieces), _BATCH)]
    if any(piece.size == PART for piece in pieces):
        batches = [[piece] for piece in pieces]
    found: dict[str, list[tuple[int, Hashed]]] = {}
    for batch, results in on_threads(batches, lambda batch: [_hash(piece) for piece in batch]):
        for piece, result in zip(batch, results, strict=True):
            found.setdefault(piece.file.path, []).append((piece.offset, result))
    return {path: _joined(path, [part for _, part in sorted(parts)]) for path, parts in found.items()}


def _joined(path: str, parts: Sequence[Hashed]) -> Hashed:
    if len(parts) == 1:
        return parts[0]
    line = parts[0].line
    if any(part.line != line for part in parts):
        raise changed(path)
    digests = tuple(digest for part in parts for digest in part.parts)
    return Hashed(line, digests, all(part.settled for part in parts))


def _hash(piece: Piece) -> Hashed:
    began = time.time_ns()
    total = hashlib.sha256()
    with opened(piece.file) as descriptor:
        status = os.fstat(descriptor)
        if status.st_size != piece.file.size:
            raise changed(piece.file.path)
        for chunk in read_piece(descriptor, piece):
            total.update(chunk)
        line = line_of(piece.file.path, status)
        kept = settled(status, began) and line == line_of(piece.file.path, os.fstat(descriptor))
    return Hashed(line, (total.hexdigest(),), kept)


def on_threads(items: Sequence[T], work: Callable[[T], R]) -> list[tuple[T, R]]:
    """Do work on all items, on as many threads as there are processors; the first failure is raised.

    Daemon threads, as in `shipway.client.threads`: they don't keep a process from ending.
    """
    places = iter(range(len(items)))
    results: list[tuple[T, R]] = []
    faults: list[Exception] = []

    def run() -> None:
        try:
            while not faults and (place := next(places, None)) is not None:
                results.append((items[place], work(items[place])))
        except Exception as fault:  # noqa: BLE001  (it is raised again below)
            faults.append(fault)

    count = min(len(items), MAX_THREADS, os.cpu_count() or 1)
    threads = [threading.Thread(target=run, name="shipway-hash", daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return results
