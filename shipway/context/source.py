"""A context that can be read: its manifest, and a way to get at the content of its files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from shipway.models.context import Entry, Manifest


@dataclass(frozen=True, slots=True)
class ContextSource:
    """A manifest together with the reader of its blobs.

    `read(entry)` yields the content of a file in chunks of any size, `entry.size` bytes in all.
    """

    manifest: Manifest
    read: Callable[[Entry], AsyncIterator[bytes]]
