"""Build contexts: a manifest of entries that point into blobs.

A context is never unpacked on a server. Its manifest lists every entry (path, type, mode, size, link,
content digest) and says where the content lies: `(blob, offset, size)`. Blobs are plain bytes in the object
store; a whole uploaded tar is one blob with its members indexed, and what a client sends of a directory are packs
of small files and parts of large ones (`shipway.context.packs`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

MANIFEST_VERSION = 1
PARTED_VERSION = 2
"""Of a manifest in which a file lies in parts: what knows version 1 only must not take such a file for an empty one."""


class EntryType(StrEnum):
    """The types of entry that a context may hold. Hard links are resolved to files on the way in."""

    FILE = "file"
    DIR = "dir"
    SYMLINK = "symlink"


FILE, DIR, SYMLINK = EntryType.FILE, EntryType.DIR, EntryType.SYMLINK
"""For what looks at every entry: Python 3.11 takes longer to find a member than to compare it."""


class Entry(NamedTuple):
    """One file, directory or symbolic link of a context.

    Attributes:
        path: relative to the context's root, `/`-separated, never empty, without `.` or `..` components.
        type: what it is.
        mode: permission bits with setuid, setgid and sticky (`0o7777`).
        size: bytes of content; 0 for anything but a file.
        mtime_ns: modification time, nanoseconds since the epoch.
        link: target of a symbolic link, as written; else empty.
        digest: `sha256:…` that names a file's content (`shipway.context.contents`); else empty.
        blob: name of the blob that holds the content; empty when there is no content, or when it is in parts.
        offset: where in the blob the content starts, in bytes.
        parts: names of the blobs that hold one part each, all of it, if the content is in parts.
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
    parts: tuple[str, ...] = ()

    @property
    def blobs(self) -> tuple[str, ...]:
        """Names of the blobs in which the content lies."""
        return self.parts or ((self.blob,) if self.blob else ())

    @property
    def sort_key(self) -> str:
        """Orders entries depth first with names sorted within each directory, as DiffCopy sends them."""
        return self.path.replace("/", "\0")


class Summary(NamedTuple):
    """What there is to know of a context without its entries: how many, their bytes, and the blobs they lie in."""

    entries: int
    size: int
    blobs: tuple[str, ...]


class Lines(NamedTuple):
    """How an entry is told of in the digest of a context (`telling_line`), and how it is stored."""

    entry: Entry
    telling: str
    stored: str

    @classmethod
    def of(cls, entry: Entry) -> Lines:
        """Make them."""
        path, kind, mode, size, _, link, digest, *_ = entry
        return cls(entry, telling_line(path, kind, mode, size, link, digest), _line(entry))


class Manifest:
    """The entries of one context, in depth-first order, every parent directory present.

    The digest covers path, type, mode, size, link and content of every entry, and nothing else: not where
    the content is stored, nor modification times, which Docker's own cache rules ignore too.
    """

    def __init__(self, entries: Iterable[Entry], like: Manifest | None = None) -> None:
        """Take entries in any order.

        Args:
            entries: all of them; directories that are implied may be left out.
            like: a manifest that shares most of them: what was computed for an entry is not computed again.
        """
        by_path = {entry.path: entry for entry in entries}
        known = like.lines if like is not None else {}
        self._set(by_path if list(by_path) == list(known) else _in_order(by_path), known)

    def _set(self, by_path: dict[str, Entry], known: dict[str, Lines]) -> None:
        self._by_path = by_path
        self._known = known
        self._lines: dict[str, Lines] = {}
        self._digest: str | None = None
        self._summary: Summary | None = None

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
    def lines(self) -> dict[str, Lines]:
        """How each entry is told of, by its path."""
        if len(self._lines) != len(self):
            known = self._known
            self._lines = {
                path: lines if (lines := known.get(path)) is not None and lines.entry is entry else Lines.of(entry)
                for path, entry in self._by_path.items()
            }
            self._known = {}
        return self._lines

    @property
    def digest(self) -> str:
        """`sha256:…` that names this context."""
        if self._digest is None:
            self._digest = digest_of(lines.telling for lines in self.lines.values())
        return self._digest

    @property
    def summary(self) -> Summary:
        """How many entries it has, their bytes, their blobs."""
        if self._summary is None:
            blobs = dict.fromkeys(blob for entry in self for blob in (entry.parts or (entry.blob,)) if blob)
            self._summary = Summary(len(self), self.size, tuple(blobs))
        return self._summary

    def to_bytes(self) -> bytes:
        """Serialise as JSON lines: a header with the format's version and the summary, then one array per entry."""
        entries, size, blobs = self.summary
        version = PARTED_VERSION if any(entry.parts for entry in self) else MANIFEST_VERSION
        lines = [json.dumps({"version": version, "entries": entries, "size": size, "blobs": blobs})]
        lines += [line.stored for line in self.lines.values()]
        return "\n".join(lines).encode()

    @classmethod
    def from_bytes(cls, raw: bytes, digest: str | None = None) -> Manifest:
        """Read what `to_bytes` wrote; the digest need not be computed if it is known.

        Raises:
            ValueError: the bytes are not a manifest of a version this code knows.
        """
        header, _, lines = raw.decode().partition("\n")
        _check_version(json.loads(header))
        # One document instead of one for each line: a third of the time. What is written is in order and whole.
        rows = json.loads(f"[{lines.replace(chr(10), ',')}]")
        manifest = cls(())
        manifest._set({entry.path: entry for entry in map(_entry, rows)}, {})
        manifest._digest = digest
        return manifest


def _in_order(by_path: dict[str, Entry]) -> dict[str, Entry]:
    """Add the directories that are implied, and put all in depth-first order."""
    for path in list(by_path):
        parent = path.rpartition("/")[0]
        while parent and parent not in by_path:
            by_path[parent] = Entry(parent, DIR, 0o755)
            parent = parent.rpartition("/")[0]
    return {entry.path: entry for entry in sorted(by_path.values(), key=lambda e: e.sort_key)}


def telling_line(path: str, kind: str, mode: int, size: int, link: str, digest: str) -> str:
    """What a context's digest is made of: a line for each entry."""
    return f'[{quoted(path)}, "{kind}", {mode}, {size}, {quoted(link) if link else _NO_LINK}, "{digest}"]\n'


_NO_LINK = '""'


def digest_of(lines: Iterable[str]) -> str:
    """The digest of the context whose entries have these lines (`telling_line`), in depth-first order."""
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def read_summary(raw: bytes) -> Summary | None:
    """Read the summary out of the first bytes of a manifest.

    None if they are too few of them, or of a manifest of before there were summaries.

    Raises:
        ValueError: the bytes are not a manifest of a version this code knows.
    """
    line, newline, _ = raw.partition(b"\n")
    if not newline:
        return None
    header = json.loads(line)
    _check_version(header)
    if "blobs" not in header:
        return None
    return Summary(header["entries"], header["size"], tuple(header["blobs"]))


def _line(e: Entry) -> str:
    """What json.dumps makes of an entry, in a fifth of its time."""
    path, kind, mode, size, mtime_ns, link, digest, blob, offset, parts = e
    content = f'{quoted(link) if link else _NO_LINK}, "{digest}", {quoted(blob)}, {offset}'
    last = f", {json.dumps(parts)}" if parts else ""
    return f'[{quoted(path)}, "{kind}", {mode}, {size}, {mtime_ns}, {content}{last}]'


def _check_version(header: Any) -> None:
    if header.get("version") not in (MANIFEST_VERSION, PARTED_VERSION):
        raise ValueError(f"not a manifest of version {MANIFEST_VERSION} or {PARTED_VERSION}")


def _entry(fields: list[Any]) -> Entry:
    fields[1] = _TYPES[fields[1]]
    fields.append(tuple(fields.pop()) if len(fields) == len(Entry._fields) else ())
    return Entry._make(fields)


_TYPES = {str(kind): kind for kind in EntryType}
