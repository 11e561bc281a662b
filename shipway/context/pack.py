"""Packs a context as a tar stream: from a local directory (client) or from a manifest (for the classic builder)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING

from shipway.context.limits import KIB
from shipway.context.paths import shown
from shipway.context.reading import Piece, changed, opened, read_piece
from shipway.context.tarmember import BLOCK, DIRECTORY, FILE, LINK, member_header
from shipway.context.walk import LocalFile
from shipway.exceptions import BuildSystemError
from shipway.models.context import Entry, EntryType

if TYPE_CHECKING:
    from shipway.context.source import ContextSource

CHUNK = 256 * KIB
"""Small members are gathered until this many bytes are there."""

_END = bytes(2 * BLOCK)
_TYPES = {EntryType.FILE: FILE, EntryType.DIR: DIRECTORY, EntryType.SYMLINK: LINK}


def tar_of_directory(files: Iterable[LocalFile]) -> Iterator[bytes]:
    """Yield a tar of local files in chunks of about 256 KiB to 1 MiB.

    Owners are 0:0, hard links plain files, as docker's client sends them. Times keep their nanoseconds, in PAX headers:
    BuildKit tells changed files by them.

    Raises:
        ContextError: a file can't be read (`context-unreadable`) or is not what it was when the directory was walked
            (`context-file-changed`). The stream is then not a valid archive, and must not be sent to its end.
    """
    gathered: list[bytes] = []
    held = 0
    for file in files:
        for piece in _member(file):
            gathered.append(piece)
            held += len(piece)
            if held >= CHUNK:
                yield b"".join(gathered)
                gathered.clear()
                held = 0
    yield b"".join([*gathered, _END])


def _member(file: LocalFile) -> Iterator[bytes]:
    yield _header(file.path, file.type, file.mode, file.size, file.stat.st_mtime_ns, file.link)
    yield from _content(file)
    yield _padding(file.size)


async def tar_of_source(source: ContextSource, entries: Iterable[Entry] | None = None) -> AsyncIterator[bytes]:
    """Yield a tar of a stored context, or of some of its entries, in chunks of about 256 KiB or more.

    Raises:
        BuildSystemError: a blob gave more or fewer bytes than its entry says (`context-blob-damaged`).
    """
    gathered = bytearray()
    for entry in source.manifest if entries is None else entries:
        gathered += _header(entry.path, entry.type, entry.mode, entry.size, entry.mtime_ns, entry.link)
        read = 0
        if entry.size:
            async for piece in source.read(entry):
                read += len(piece)
                gathered += piece
                if len(gathered) >= CHUNK:
                    yield bytes(gathered)
                    gathered.clear()
        if read != entry.size:
            raise BuildSystemError(
                f"the store gave {read} of {entry.size} bytes of {shown(entry.path)}", slug="context-blob-damaged"
            )
        gathered += _padding(entry.size)
    yield bytes(gathered + _END)


def _header(path: str, kind: EntryType, mode: int, size: int, mtime_ns: int, link: str) -> bytes:
    return member_header(path, _TYPES[kind], mode, size, mtime_ns, link)


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def _content(file: LocalFile) -> Iterator[bytes]:
    """Yield exactly `file.size` bytes of a file."""
    if file.type is not EntryType.FILE:
        return
    with opened(file) as descriptor:
        yield from read_piece(descriptor, Piece(file, 0, file.size))
        if os.pread(descriptor, 1, file.size):
            raise changed(file.path)
