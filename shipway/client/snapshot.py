"""A directory as it is now: the digest of its context, the packs its contents make, and a way to read them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from shipway.client.hashing import hash_files
from shipway.client.statcache import Tree, line_of
from shipway.context.contents import PART, content_digest
from shipway.context.limits import KIB
from shipway.context.listing import ALONE
from shipway.context.packs import PLAIN, SMALL, ZSTD, Member, Pack, deal, header_of
from shipway.context.reading import Piece, changed, opened, read_piece
from shipway.context.walk import LocalFile
from shipway.models.context import EntryType, digest_of, quoted, telling_line

_SAMPLE = 64 * KIB
"""First bytes of a pack by which it is judged whether packing it by zstd pays."""
_WORTH = 0.9
_LEVEL = 3
_SLICE = 256 * KIB


class Changes(NamedTuple):
    """What makes one context of another.

    Attributes:
        base: the digest of the other one.
        lines: as `shipway.context.listing` reads them.
    """

    base: str
    lines: list[str]


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
        self._parts, self._lines, settled = _looked_at(tree) if remembering else _read(tree)
        self._members = list(map(self._members_of, tree.files))
        small: dict[Member, None] = {}
        alone: dict[Member, None] = {}
        for members in self._members:
            (small if _shares(members) else alone).update(dict.fromkeys(members))
        self.packs = {pack.name: pack for pack in deal(small)}
        # Told by their names, so that a listing says the same of the same content as the one before it.
        self._numbers = {member: int(name[:15], 16) for name, pack in self.packs.items() for member in pack.members}
        self.packs |= {pack.name: pack for pack in (Pack((member,)) for member in alone)}
        self.size = sum(pack.size for pack in self.packs.values())
        self.digest = digest_of(map(_telling, tree.files, self._members))
        if settled and tree.cache.recall(state := tree.state) is None:
            tree.cache.remember(state, self.digest, self.size)

    def forget(self) -> None:
        """Remember nothing of the tree: what was remembered turned out to be wrong."""
        self._tree.cache.forget()

    @cached_property
    def lines(self) -> list[str]:
        """What is in it, as `shipway.context.listing` reads it."""
        return list(map(self._line, self._tree.files, self._members))

    def changes(self) -> Changes | None:
        """What is different from the context that was sent last; None if most is, or if none is known."""
        before = self._tree.cache.load_listing()
        if before is None:
            return None
        digest, old = before
        same = set(old).intersection(self.lines)
        packs = tuple({line[line.rindex(" ") :] for line in self.lines if line not in same} - {f" {ALONE}]\n"})
        put = [line for line in self.lines if line not in same or line.endswith(packs)]
        there = {file.path for file in self._tree.files}
        gone = [path for line in old if line not in same and (path := json.loads(line)[0]) not in there]
        lines = [*(f"[{quoted(path)}]\n" for path in gone), *put]
        return Changes(digest, lines) if 2 * len(lines) < len(self.lines) else None

    def remember_listing(self) -> None:
        """Let the next snapshot tell what is different from this one."""
        self._tree.cache.save_listing(self.digest, self.lines)

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

    def _members_of(self, file: LocalFile) -> list[Member]:
        """The contents of a file, part by part."""
        size = file.size
        if not size:
            return []
        if size <= PART:
            return [Member(size, bytes.fromhex(self._parts[file.path][0]))]
        digests = map(bytes.fromhex, self._parts[file.path])
        return [Member(min(size - at * PART, PART), digest) for at, digest in enumerate(digests)]

    def _line(self, file: LocalFile, members: list[Member]) -> str:
        number = self._numbers[members[0]] if _shares(members) else ALONE
        parts = ", ".join([f'"{member.digest.hex()}"' for member in members])
        place, link = quoted(file.path), quoted(file.link)
        numbers = f"{file.mode}, {file.size}, {file.stat.st_mtime_ns}"
        return f'[{place}, "{file.type}", {numbers}, {link}, [{parts}], {number}]\n'

    @cached_property
    def _places(self) -> dict[Member, Piece]:
        """Where each content lies on this machine; of equal ones any place will do."""
        return {
            member: Piece(file, at * PART, member.size)
            for file, members in zip(self._tree.files, self._members, strict=True)
            for at, member in enumerate(members)
        }

    def _read(self, member: Member) -> bytes:
        piece = self._places[member]
        line = self._lines.get(piece.file.path) or line_of(piece.file.path, piece.file.stat)
        with opened(piece.file) as descriptor:
            content = b"".join(read_piece(descriptor, piece))
            if line_of(piece.file.path, os.fstat(descriptor)) != line:
                raise changed(piece.file.path)
        return content


def packed(lines: Iterable[str]) -> bytes:
    """Lines packed by zstd."""
    import zstandard  # noqa: PLC0415  (where nothing has changed it is not needed)

    return zstandard.ZstdCompressor(level=_LEVEL).compress("".join(lines).encode())


def _shares(members: list[Member]) -> bool:
    """Whether a file lies in a pack with others."""
    return len(members) == 1 and members[0].size < SMALL


def _telling(file: LocalFile, members: list[Member]) -> str:
    """The line of a file in the digest of the context."""
    digest = content_digest([member.digest for member in members]) if file.type is EntryType.FILE else ""
    mode = 0o777 if file.type is EntryType.SYMLINK else file.mode
    return telling_line(file.path, file.type, mode, file.size, file.link, digest)


_Looked = tuple[dict[str, tuple[str, ...]], dict[str, str], bool]
"""By path: the digests of the parts of each content, the lines of what was read; whether all may be remembered."""


def _read(tree: Tree) -> _Looked:
    """Read every file."""
    hashed = hash_files(file for file in tree.files if file.size)
    parts = {path: found.parts for path, found in hashed.items()}
    return parts, {path: found.line for path, found in hashed.items()}, False


def _looked_at(tree: Tree) -> _Looked:
    """Take what is remembered of each file, and read those that changed."""
    before = tree.cache.load()
    same: dict[str, str] = {}
    parts: dict[str, tuple[str, ...]] = {}
    other: list[LocalFile] = []
    for file, line in zip(tree.files, tree.lines, strict=True):
        if (known := before.get(line)) is not None:
            same[line] = known
            parts[file.path] = tuple(known.split())
        elif file.size:
            other.append(file)
    hashed = hash_files(other)
    settled = {found.line: " ".join(found.parts) for found in hashed.values() if found.settled}
    if settled or len(same) != len(before):
        tree.cache.save(same | settled)
    parts |= {path: found.parts for path, found in hashed.items()}
    return parts, {path: found.line for path, found in hashed.items()}, len(settled) == len(hashed)
