"""Build contexts: a manifest of entries that point into blobs.

A context is never unpacked on a server. Its manifest lists every entry (path, type, mode, size, link,
content digest) and says where the content lies: `(blob, offset, size)`. Blobs are plain bytes in the object
store; a whole uploaded tar is one blob with its members indexed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

MANIFEST_VERSION = 1


class EntryType(StrEnum):
    """The types of entry that a context may hold. Hard links are resolved to files on the way in."""

    FILE = "file"
    DIR = "dir"
    SYMLINK = "symlink"


class Entry(NamedTuple):
    """One file, directory or symbolic link of a context.

    Attributes:
        path: relative to the context's root, `/`-separated, never empty, without `.` or `..` components.
        type: what it is.
        mode: permission bits with setuid, setgid and sticky (`0o7777`).
        size: bytes of content; 0 for anything but a file.
        mtime_ns: modification time, nanoseconds since the epoch.
        link: target of a symbolic link, as written; else empty.
        digest: `sha256:…` of a file's content; else empty.
        blob: name of the blob that holds the content; empty when there is no content.
        offset: where in the blob the content starts, in bytes.
    """

    path: str
    type: EntryType
    mode: int
    size: int = 0
    mtime_ns: int = 0
    link: str = ""
    digest: str = ""
    blob: str = ""
    offset: int = 0

    @property
    def sort_key(self) -> list[str]:
        """Orders entries depth first with names sorted within each directory, as DiffCopy sends them."""
        return self.path.split("/")


class Manifest:
    """The entries of one context, in depth-first order, every parent directory present.

    The digest covers path, type, mode, size, link and content of every entry, and nothing else: not where
    the content is stored, nor modification times, which Docker's own cache rules ignore too.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        by_path = {entry.path: entry for entry in entries}
        for path in list(by_path):
            parent = path.rpartition("/")[0]
            while parent and parent not in by_path:
                by_path[parent] = Entry(parent, EntryType.DIR, 0o755)
                parent = parent.rpartition("/")[0]
        self._by_path = {entry.path: entry for entry in sorted(by_path.values(), key=lambda e: e.sort_key)}
        self._digest: str | None = None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_path.values())

    def __len__(self) -> int:
        return len(self._by_path)

    def get(self, path: str) -> Entry | None:
        """Return the entry at exactly this path, or None."""
        return self._by_path.get(path)

    @property
    def size(self) -> int:
        """Bytes of content of all files."""
        return sum(entry.size for entry in self)

    @property
    def digest(self) -> str:
        """`sha256:…` that names this context."""
        if self._digest is None:
            total = hashlib.sha256()
            for e in self:
                total.update(json.dumps([e.path, e.type, e.mode, e.size, e.link, e.digest]).encode())
                total.update(b"\n")
            self._digest = f"sha256:{total.hexdigest()}"
        return self._digest

    def to_bytes(self) -> bytes:
        """Serialise as JSON lines: a header with the format's version, then one array per entry."""
        lines = [json.dumps({"version": MANIFEST_VERSION, "entries": len(self)})]
        lines += [json.dumps(list(entry)) for entry in self]
        return "\n".join(lines).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Manifest:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: the bytes are not a manifest of a version this code knows.
        """
        header, *lines = raw.decode().split("\n")
        if json.loads(header).get("version") != MANIFEST_VERSION:
            raise ValueError(f"not a manifest of version {MANIFEST_VERSION}")
        return cls(_entry(json.loads(line)) for line in lines)


def _entry(fields: list[object]) -> Entry:
    path, kind, *rest = fields
    return Entry(path, EntryType(str(kind)), *rest)  # type: ignore[arg-type]
