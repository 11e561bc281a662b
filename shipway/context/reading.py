"""Reads files of a local context, and notices when they are not what they were when the directory was walked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from shipway.context.limits import KIB
from shipway.context.paths import shown
from shipway.context.walk import LocalFile
from shipway.exceptions import ContextError

_READ = 256 * KIB


class Piece(NamedTuple):
    """A part of a file, or all of it."""

    file: LocalFile
    offset: int
    size: int


@contextmanager
def opened(file: LocalFile) -> Iterator[int]:
    """Open a file for reading.

    Raises:
        ContextError: it can't be read (`context-unreadable`), or is gone (`context-file-changed`).
    """
    try:
        # Should the name be a link or a FIFO by now, it is neither followed nor waited for.
        descriptor = os.open(file.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise changed(file.path) from None
    except OSError as fault:
        raise ContextError(f"{shown(file.path)} can't be read: {fault.strerror}", slug="context-unreadable") from None


def read_piece(descriptor: int, piece: Piece) -> Iterator[bytes]:
    """Yield exactly the bytes of a piece.

    Raises:
        ContextError: the file is shorter by now (`context-file-changed`).
    """
    done = 0
    while done < piece.size:
        chunk = os.pread(descriptor, min(_READ, piece.size - done), piece.offset + done)
        if not chunk:
            raise changed(piece.file.path)
        done += len(chunk)
        yield chunk


def changed(path: str) -> ContextError:
    """What is told when a file is not what it was a moment ago."""
    return ContextError(
        f"{shown(path)} changed while it was being sent; try again, or add it to .dockerignore",
        slug="context-file-changed",
    )
