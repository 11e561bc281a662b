"""A context that can be read: its manifest, and a way to get at the content of its files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from shipway.models.context import Entry, EntryType, Manifest


class ContextSource(NamedTuple):
    """A manifest together with the reader of its blobs.

    `read(entry)` yields the content of a file in chunks of any size, `entry.size` bytes in all.
    """

    manifest: Manifest
    read: Callable[[Entry], AsyncIterator[bytes]]

    async def content(self, path: str, limit: int | None = None) -> bytes:
        """Return what is in a file; nothing where there is none, or one of more than `limit` bytes."""
        entry = self.manifest.get(path)
        if entry is None or entry.type is not EntryType.FILE or (limit is not None and entry.size > limit):
            return b""
        return b"".join([chunk async for chunk in self.read(entry)])
