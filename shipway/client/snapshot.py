"""A directory as it is now: the digest of its context, the packs its contents make, and a way to read them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shipway.client.hashing import hash_files
from shipway.client.statcache import Files, Signature, Tree
from shipway.context.contents import EMPTY, content_digest, parts_of
from shipway.context.limits import KIB
from shipway.context.listing import ALONE
from shipway.context.packs import PLAIN, SMALL, ZSTD, Member, Pack, deal, header_of
from shipway.context.reading import Piece, changed, opened, read_piece
from shipway.context.walk import LocalFile
from shipway.models.context import Entry, EntryType, Manifest

_SAMPLE = 64 * KIB
"""First bytes of a pack by which it is judged whether packing it by zstd pays."""
_WORTH = 0.9
_LEVEL = 3
_SLICE = 256 * KIB


class _Place(NamedTuple):
    """Where a content lies on this machine, and the signature that its file had when it was read."""

    piece: Piece
    signature: Signature


class Snapshot:
    """What a tree held when it was looked at; looking blocks.

    Attributes:
        digest: the context's.
        packs: all packs by name.
        size: bytes in all packs: of equal contents one counts.

    Args:
        tree: what to look at.
        remembering: whether files that are as they were the last time are not read.

    Raises:
        ContextError: a file can't be read (`context-unreadable`), or changes meanwhile (`context-file-changed`).
    """

    def __init__(self, tree: Tree, *, remembering: bool = True) -> None:
        self._tree = tree
        self._files, settled = _looked_at(tree) if remembering else (_read(tree), False)
        self._places: dict[Member, _Place] = {}
        small: dict[Member, None] = {}
        alone: dict[Member, None] = {}
        for file in tree.files:
            members = self._members(file)
            (small if _shares(file, members) else alone).update(dict.fromkeys(members))
        dealt = list(deal(small))
        self._numbers = {member: number for number, pack in enumerate(dealt) for member in pack.members}
        self.packs = {pack.name: pack for pack in (*dealt, *(Pack((member,)) for member in alone))}
        self.size = sum(pack.size for pack in self.packs.values())
        self.digest = Manifest(map(self._entry, tree.files)).digest
        if settled and tree.cache.recall(tree.state) is None:
            tree.cache.remember(tree.state, self.digest, self.size)

    def forget(self) -> None:
        """Remember nothing of the tree: what was remembered turned out to be wrong."""
        self._tree.cache.forget()

    def listing(self) -> bytes:
        """What is in it, as `shipway.context.listing` reads it, packed by zstd."""
        import zstandard  # noqa: PLC0415  (where nothing has changed it is not needed)

        lines = "".join(f"{json.dumps(self._line(file))}\n" for file in self._tree.files)
        return zstandard.ZstdCompressor(level=_LEVEL).compress(lines.encode())

    def wire(self, names: Iterator[str], spared: Callable[[int], None]) -> Iterator[bytes]:
        """Yield packs as they are sent, in pieces; several threads may draw from one iterator over names.

        Args:
            names: of the packs.
            spared: told the bytes that compression spares, pack by pack.

        Raises:
            ContextError: a file is not what it was (`context-file-changed`), or can't be read (`context-unreadable`).
        """
        import zstandard  # noqa: PLC0415

        packer = zstandard.ZstdCompressor(level=_LEVEL)
        for name in names:
            pack = self.packs[name]
            content = b"".join(map(self._read, pack.members))
            encoding, body, sample = PLAIN, content, content[:_SAMPLE]
            if len(packer.compress(sample)) < _WORTH * len(sample):
                packed = packer.compress(content)
                if len(packed) < len(content):
                    encoding, body = ZSTD, packed
            spared(len(content) - len(body))
            yield header_of(pack, encoding, len(body))
            for start in range(0, len(body), _SLICE):
                yield body[start : start + _SLICE]

    def _members(self, file: LocalFile) -> list[Member]:
        """The contents of a file, part by part; of equal ones the first place counts."""
        if not file.size:
            return []
        remembered, members = self._files[file.path], []
        for (offset, size), digest in zip(parts_of(file.size), remembered.parts, strict=True):
            members.append(Member(size, bytes.fromhex(digest)))
            self._places.setdefault(members[-1], _Place(Piece(file, offset, size), remembered.signature))
        return members

    def _entry(self, file: LocalFile) -> Entry:
        digest = EMPTY if file.type is EntryType.FILE else ""
        if file.size:
            digest = content_digest(bytes.fromhex(part) for part in self._files[file.path].parts)
        mode = 0o777 if file.type is EntryType.SYMLINK else file.mode
        return Entry(file.path, file.type, mode, file.size, file.stat.st_mtime_ns, file.link, digest)

    def _line(self, file: LocalFile) -> tuple[object, ...]:
        parts = self._files[file.path].parts if file.size else ()
        number = ALONE
        if len(parts) == 1 and file.size < SMALL:
            number = self._numbers[Member(file.size, bytes.fromhex(parts[0]))]
        return (file.path, file.type, file.mode, file.size, file.stat.st_mtime_ns, file.link, parts, number)

    def _read(self, member: Member) -> bytes:
        piece, signature = self._places[member]
        with opened(piece.file) as descriptor:
            content = b"".join(read_piece(descriptor, piece))
            if Signature.of(os.fstat(descriptor)) != signature:
                raise changed(piece.file.path)
        return content


def _shares(file: LocalFile, members: list[Member]) -> bool:
    return len(members) == 1 and file.size < SMALL


def _read(tree: Tree) -> Files:
    """What each file holds that has a content."""
    return {path: found.file for path, found in hash_files(file for file in tree.files if file.size).items()}


def _looked_at(tree: Tree) -> tuple[Files, bool]:
    """What is remembered of each file that has a content, and whether all of it may be; those that changed are read."""
    before = tree.cache.load()
    files = {file.path: file for file in tree.files if file.size}
    same = {
        path: before[path]
        for path, file in files.items()
        if path in before and before[path].signature == Signature.of(file.stat)
    }
    hashed = hash_files(file for path, file in files.items() if path not in same)
    settled = {path: found.file for path, found in hashed.items() if found.settled}
    if settled or len(same) != len(before):
        tree.cache.save(same | settled)
    return same | {path: found.file for path, found in hashed.items()}, len(same) + len(settled) == len(files)
