"""A directory as it is now: the digest of its context, the packs its contents make, and what to tell of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple

from shipway.client.hashing import hash_files
from shipway.client.packing import LEVEL, Packing, shares_a_pack
from shipway.client.statcache import Files, Sent, Tree
from shipway.context.contents import PART, content_digest
from shipway.context.listing import ALONE
from shipway.context.packs import Member
from shipway.context.walk import LocalFile
from shipway.models.context import FILE, SYMLINK, digest_of, quoted, telling_line


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
        packing: its packs.
        size: bytes in all packs: of equal contents one counts.

    Args:
        tree: what to look at.
        remembering: whether files that are as they were the last time are not read.
        packing: takes the contents.
        announce: told the names of packs in which files lie that had to be read, as soon as they are complete.

    Raises:
        ContextError: a file can't be read (`context-unreadable`), or changes meanwhile (`context-file-changed`).
    """

    def __init__(
        self,
        tree: Tree,
        *,
        remembering: bool = True,
        packing: Packing | None = None,
        announce: Callable[[list[str]], None] | None = None,
    ) -> None:
        self._tree = tree
        self.packing = packing or Packing()
        self._members: list[list[Member]] = []
        self._digests: list[str] = []  # SHA-256 (hexadecimal) of each part of a file, as the cache has them
        before = tree.cache.load() if remembering else {}
        self._found, lasting = self._look(before, announce)
        self.size = sum(pack.size for pack in self.packing.packs.values())
        self._telling = list(map(telling, tree.files, self._digests))
        self.digest = digest_of(self._telling)
        if remembering and self._found.keys() != before.keys():
            tree.cache.save(self._found)
        if remembering and lasting and tree.cache.recall(state := tree.state) is None:
            tree.cache.remember(state, self.digest, self.size)

    def _look(self, before: Files, announce: Callable[[list[str]], None] | None) -> tuple[Files, bool]:
        """Take what is remembered of each file, and read the others.

        Returns what may be remembered now, and whether that is all of it.
        """
        files, lines, packing = self._tree.files, self._tree.lines, self.packing
        known = list(map(before.get, lines))
        fresh_files = (file for file, digests in zip(files, known, strict=True) if digests is None and file.size)
        read = hash_files(fresh_files, packing.room)
        found = {line: digests for line, digests in zip(lines, known, strict=True) if digests is not None}
        fresh: set[Member] = set()
        lasting = True

        def tell(names: list[str]) -> None:
            if announce is not None and fresh:
                announce([name for name in names if not fresh.isdisjoint(packing.packs[name].members)])

        for file, seen, remembered in zip(files, lines, known, strict=True):
            line, digests, content = seen, remembered, None
            if remembered is None and file.size:
                line, parts, settled, content = next(read)
                digests = " ".join(parts)
                lasting = lasting and settled
                if settled:
                    found[line] = digests
            members = _members(file.size, digests) if digests else []
            if remembered is None:
                fresh.update(members)
            self._members.append(members)
            self._digests.append(digests or "")
            if names := packing.add(file, line, members, content):
                tell(names)
        tell(packing.end())
        return found, lasting

    @cached_property
    def lines(self) -> list[str]:
        """What is in it, as `shipway.context.listing` reads it."""
        return list(map(self._line, self._tree.files, self._members, self._digests))

    def changes(self) -> Changes | None:
        """What is different from the context that was sent last; None if most is, or if none is known."""
        sent = self._tree.cache.load_sent()
        if sent is None:
            return None
        old = sent.listing
        same = set(old).intersection(self.lines)
        if 2 * len(same) <= len(self.lines):
            return None
        packs = tuple({line[line.rindex(" ") :] for line in self.lines if line not in same} - {f" {ALONE}]\n"})
        put = [line for line in self.lines if line not in same or line.endswith(packs)]
        there = {file.path for file in self._tree.files}
        gone = [path for line in old if line not in same and (path := json.loads(line)[0]) not in there]
        lines = [*(f"[{quoted(path)}]\n" for path in gone), *put]
        return Changes(sent.digest, lines) if 2 * len(lines) < len(self.lines) else None

    def remember_sent(self) -> None:
        """Let the next look at the tree tell what is different from this one."""
        tree = self._tree
        known = (not file.size or line in self._found for file, line in zip(tree.files, tree.lines, strict=True))
        keys = [key if there else "" for key, there in zip(tree.keys, known, strict=True)]
        tree.cache.save_sent(Sent(self.digest, self.size, keys, self._telling, self.lines))

    def _line(self, file: LocalFile, members: list[Member], digests: str) -> str:
        number = self.packing.number(members[0]) if shares_a_pack(members) else ALONE
        return listing_line(file, digests, number)


def packed(lines: Iterable[str]) -> bytes:
    """Lines packed by zstd."""
    import zstandard  # noqa: PLC0415  (where nothing has changed it is not needed)

    return zstandard.ZstdCompressor(level=LEVEL).compress("".join(lines).encode())


def _members(size: int, digests: str) -> list[Member]:
    """The contents of a file, part by part."""
    if size <= PART:
        return [Member(size, bytes.fromhex(digests))]
    parts = map(bytes.fromhex, digests.split())
    return [Member(min(size - at * PART, PART), digest) for at, digest in enumerate(parts)]


def listing_line(file: LocalFile, digests: str, number: int) -> str:
    """The line of a file in a listing, with the number of the pack that it lies in."""
    parts = '"{}"'.format(digests.replace(" ", '", "')) if digests else ""
    place, link = quoted(file.path), quoted(file.link)
    numbers = f"{file.mode}, {file.size}, {file.stat.st_mtime_ns}"
    return f'[{place}, "{file.type}", {numbers}, {link}, [{parts}], {number}]\n'


def telling(file: LocalFile, digests: str) -> str:
    """The line of a file in the digest of the context."""
    digest = content_digest(map(bytes.fromhex, digests.split())) if file.type is FILE else ""
    mode = 0o777 if file.type is SYMLINK else file.mode
    return telling_line(file.path, file.type, mode, file.size, file.link, digest)
