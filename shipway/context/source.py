"""A context that can be read: its manifest, and a way to get at the content of its files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from shipway.models.context import Entry, Manifest


class ContextSource(NamedTuple):
    """A manifest together with the reader of its blobs.

    `read(entry)` yields the content of a file in chunks of any size, `entry.size` bytes in all.
    """

    manifest: Manifest
    read: Callable[[Entry], AsyncIterator[bytes]]
