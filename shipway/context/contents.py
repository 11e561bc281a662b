"""How the content of a file is named: by one digest, or, if it is large, by the digests of its parts.

Parts can be hashed at the same time, sent one by one, and sent again without the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from shipway.context.limits import MIB

PART = 8 * MIB
"""Bytes of a part; only the last one of a file has fewer. It is in the names of all larger files: never change it."""
EMPTY = f"sha256:{hashlib.sha256().hexdigest()}"
_PARTED = b"shipway: a file in parts of 8 MiB\n"
"""What the digest of a large file begins with, so that no small file can have the same."""


def parts_of(size: int) -> Iterator[tuple[int, int]]:
    """Yield offset and size of each part of a file; nothing for an empty one."""
    for offset in range(0, size, PART):
        yield offset, min(PART, size - offset)


def content_digest(parts: Iterable[bytes]) -> str:
    """Return `sha256:…` of a content out of the SHA-256 digests (raw) of its parts."""
    digests = list(parts)
    if not digests:
        return EMPTY
    if len(digests) == 1:
        return f"sha256:{digests[0].hex()}"
    return f"sha256:{hashlib.sha256(_PARTED + b''.join(digests)).hexdigest()}"


class ContentHash:
    """Takes a content in pieces of any size and names it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._part = hashlib.sha256()
        self._room = PART

    def update(self, piece: memoryview) -> None:
        """Read the next bytes."""
        while len(piece) > self._room:
            self._part.update(piece[: self._room])
            self._parts.append(self._part.digest())
            piece = piece[self._room :]
            self._part, self._room = hashlib.sha256(), PART
        self._part.update(piece)
        self._room -= len(piece)

    def digest(self) -> str:
        """Return `sha256:…` of all that was read, as `content_digest` does."""
        return content_digest([*self._parts, self._part.digest()])
