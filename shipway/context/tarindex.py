"""Indexes a tar archive while it streams past: nothing is kept of it but a manifest.

Every form of tar that Docker takes is read (v7, ustar, GNU, PAX). What could harm is refused, each with its own slug:
see `TarIndexer`.
"""

from __future__ import annotations

from collections.abc import Callable

from shipway.context.contents import EMPTY, ContentHash
from shipway.context.limits import Limits
from shipway.context.paths import clean_path, decode_name, shown
from shipway.context.tarheader import (
    ZERO_BLOCK,
    Header,
    parse_header,
    parse_pax,
    pax_size,
    pax_time,
    sparse,
)
from shipway.context.tarmember import BLOCK
from shipway.context.tree import EntryTree
from shipway.exceptions import ContextError
from shipway.models.context import Entry, EntryType, Manifest

_FILE, _FILE_V7, _CONTIGUOUS = b"0", b"\0", b"7"
_HARD_LINK, _SYMLINK, _DIRECTORY = b"1", b"2", b"5"
_PAX, _PAX_SOLARIS, _PAX_GLOBAL = b"x", b"X", b"g"
_GNU_NAME, _GNU_LINK, _GNU_SPARSE = b"L", b"K", b"S"

_FILES = frozenset({_FILE, _FILE_V7, _CONTIGUOUS})
_METADATA = frozenset({_PAX, _PAX_SOLARIS, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK})
_SPECIAL = {b"3": "a character device", b"4": "a block device", b"6": "a FIFO"}


class TarIndexer:
    """Takes a plain tar in chunks of any size and builds the manifest of what it holds.

    `Entry.offset` points into the plain archive, which is to be stored as the blob of the given name. Hard links
    become files with the place and digest of their target; of several members with one path, the last wins.
    Whatever follows the end marker (two zero blocks) is ignored, as tar does, but counts as bytes.

    Slugs of what is refused (`ContextError`): `context-empty` (no byte at all), `context-not-tar`, `context-truncated`
    (the end marker never came), `context-corrupt` (a later header is damaged), `context-bad-header`, `context-bad-pax`,
    `context-metadata-too-large`, `context-path-escapes`, `context-path-through-link`, `context-path-too-long`,
    `context-name-encoding`, `context-special-file`, `context-sparse`, `context-hardlink-target`; as `TooLarge`:
    `context-too-large`, `context-too-many-entries`.
    """

    def __init__(self, limits: Limits, blob: str) -> None:
        self._limits = limits
        self._blob = blob
        self._tree = EntryTree(limits)
        self._buffer = bytearray()
        self._position = 0
        self._skip = 0  # bytes of padding still to pass
        self._left = 0  # bytes of the present member's content still to come
        self._take: Callable[[memoryview], None] | None = None
        self._complete: Callable[[], None] | None = None
        self._global: dict[bytes, bytes] = {}
        self._pax: dict[bytes, bytes] = {}
        self._long: dict[bytes, bytes] = {}
        self._zero_blocks = 0

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Read the next bytes of the archive."""
        view = memoryview(chunk)
        self._limits.check_bytes(self._position + len(view))
        while view and not self._ended:
            if self._left:
                view = self._content(view)
            elif self._skip:
                view = self._padding(view)
            else:
                view = self._header(view)
        self._position += len(view)

    def finish(self) -> Manifest:
        """Return the manifest, at the end of the archive."""
        if not self._position:
            raise ContextError("the context is empty: no archive was sent", slug="context-empty")
        if self._position < BLOCK:
            raise _not_tar()
        if not self._zero_blocks or self._buffer:
            raise ContextError(
                f"the archive breaks off after {self._position} bytes, before its end marker", slug="context-truncated"
            )
        return self._tree.manifest()

    @property
    def _ended(self) -> bool:
        return self._zero_blocks == 2  # noqa: PLR2004 - tar's end marker is two zero blocks

    def _header(self, view: memoryview) -> memoryview:
        """Collect a header block and act on it."""
        wanted = BLOCK - len(self._buffer)
        piece = view[:wanted]
        self._position += len(piece)
        if len(piece) == BLOCK:
            self._block(bytes(piece))
        else:
            self._buffer += piece
            if len(self._buffer) == BLOCK:
                block = bytes(self._buffer)
                self._buffer.clear()
                self._block(block)
        return view[wanted:]

    def _content(self, view: memoryview) -> memoryview:
        piece = view[: self._left]
        if self._take is not None:
            self._take(piece)
        self._position += len(piece)
        self._left -= len(piece)
        if not self._left:
            self._close()
        return view[len(piece) :]

    def _padding(self, view: memoryview) -> memoryview:
        passed = min(self._skip, len(view))
        self._position += passed
        self._skip -= passed
        return view[passed:]

    def _block(self, block: bytes) -> None:
        if block == ZERO_BLOCK:
            self._end_marker()
            return
        header = parse_header(block)
        if header is None:
            raise _not_tar() if self._position == BLOCK else self._corrupt()
        if self._zero_blocks:
            raise self._corrupt()
        if header.kind in _METADATA:
            self._metadata(header)
        else:
            self._member(header)

    def _end_marker(self) -> None:
        if self._pax or self._long:
            raise self._corrupt()
        self._zero_blocks += 1

    def _corrupt(self) -> ContextError:
        at = self._position - BLOCK
        return ContextError(f"the archive is damaged: no valid header at byte {at}", slug="context-corrupt")

    def _open(self, size: int, take: Callable[[memoryview], None] | None, complete: Callable[[], None]) -> None:
        """Prepare for content: `take` gets its pieces, `complete` is called after the last one."""
        # Said before the bytes come: a member that could never fit is refused at its header.
        self._limits.check_bytes(self._position + size)
        self._left, self._skip = size, -size % BLOCK
        self._take, self._complete = take, complete
        if not size:
            self._close()

    def _close(self) -> None:
        complete, self._take, self._complete = self._complete, None, None
        if complete is not None:
            complete()

    def _metadata(self, header: Header) -> None:
        if header.size > self._limits.max_metadata:
            raise ContextError(
                f"a header of the archive has {header.size} bytes; {self._limits.max_metadata} are allowed",
                slug="context-metadata-too-large",
            )
        data = bytearray()
        self._open(header.size, data.extend, lambda: self._metadata_complete(header.kind, bytes(data)))

    def _metadata_complete(self, kind: bytes, data: bytes) -> None:
        if kind in (_GNU_NAME, _GNU_LINK):
            self._long[kind] = data.rstrip(b"\0")
            return
        target = self._global if kind == _PAX_GLOBAL else self._pax
        target.update(parse_pax(data))

    def _member(self, header: Header) -> None:
        header = self._overridden(header)
        limits = self._limits
        path = clean_path(decode_name(header.name, limits), limits)
        if header.kind == _GNU_SPARSE:
            raise sparse(shown(path))
        if header.kind in _FILES and not (header.name.endswith(b"/") and not header.size):
            self._file(header, path)
        elif header.kind == _DIRECTORY or header.kind in _FILES:
            if path:  # the root itself is no entry
                self._tree.put(Entry(path, EntryType.DIR, header.mode, 0, header.mtime_ns))
        elif header.kind == _SYMLINK:
            self._symlink(header, path)
        elif header.kind == _HARD_LINK:
            self._hard_link(header, path)
        else:
            what = _SPECIAL.get(header.kind, f"a member of the unsupported type {header.kind!r}")
            raise ContextError(
                f"{shown(path)} is {what}; a context holds files, directories and links", slug="context-special-file"
            )

    def _overridden(self, header: Header) -> Header:
        """Apply what extended headers say of this member, and forget it. GNU long names win, as in Go's reader."""
        if not (self._pax or self._long or self._global):
            return header
        # An empty value takes back what a global header said.
        records = {key: value for key, value in (self._global | self._pax).items() if value}
        name = self._long.get(_GNU_NAME, records.get(b"path", header.name))
        link = self._long.get(_GNU_LINK, records.get(b"linkpath", header.link))
        size = pax_size(records[b"size"]) if b"size" in records else header.size
        mtime = pax_time(records[b"mtime"]) if b"mtime" in records else header.mtime_ns
        self._pax, self._long = {}, {}
        return header._replace(name=name, link=link, size=size, mtime_ns=mtime)

    def _file(self, header: Header, path: str) -> None:
        if not path or header.name.endswith(b"/"):
            raise ContextError(f"the file {shown(header.name)} has no name", slug="context-bad-header")
        offset, size = self._position, header.size
        if not size:
            self._tree.put(Entry(path, EntryType.FILE, header.mode, 0, header.mtime_ns, "", EMPTY))
            return
        content = ContentHash()

        def complete() -> None:
            digest = content.digest()
            self._tree.put(
                Entry(path, EntryType.FILE, header.mode, size, header.mtime_ns, "", digest, self._blob, offset)
            )

        self._open(size, content.update, complete)

    def _symlink(self, header: Header, path: str) -> None:
        link = decode_name(header.link, self._limits)
        if not path or not link:
            raise ContextError(
                f"the symbolic link {shown(header.name)} has no name or no target", slug="context-bad-header"
            )
        self._tree.put(Entry(path, EntryType.SYMLINK, 0o777, 0, header.mtime_ns, link))

    def _hard_link(self, header: Header, path: str) -> None:
        target_path = clean_path(decode_name(header.link, self._limits), self._limits)
        target = self._tree.get(target_path)
        if not path or target is None or target.type is EntryType.DIR:
            raise ContextError(
                f"{shown(path)} is a hard link to {shown(target_path)}, which is no earlier file of the archive",
                slug="context-hardlink-target",
            )
        self._tree.put(target._replace(path=path))


def _not_tar() -> ContextError:
    return ContextError(
        "the body is no tar archive (plain, or compressed by gzip, bzip2, xz or zstd)", slug="context-not-tar"
    )
