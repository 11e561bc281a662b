"""Contents of files on their way into packs: which pack each lies in, and the packs read out of the files again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from shipway.client.hashing import Room
from shipway.client.statcache import line_of
from shipway.context.contents import PART
from shipway.context.limits import KIB, MIB
from shipway.context.packs import PLAIN, SMALL, ZSTD, Dealer, Member, Pack, header_of
from shipway.context.reading import Piece, changed, opened, read_piece
from shipway.context.walk import LocalFile

_SAMPLE = 64 * KIB
"""First bytes of a pack by which it is judged whether packing it by zstd pays."""
_WORTH = 0.9
LEVEL = 3
"""Of zstd."""
_SLICE = MIB
"""Bytes of a pack that are handed on at once: most packs have fewer, and need not be copied."""
_Place = tuple[LocalFile, int, str]
"""Where a content lies on this machine (of equal ones any will do): file, offset, and what tells a changed file."""


class Packing:
    """The packs of a tree, known one by one while its files are looked at. One thread adds, any may read packs.

    Args:
        kept: bytes of small contents that are kept from their reading until they are sent; of what there is no room
            for, files are read a second time.

    Attributes:
        packs: those that are complete, by name.
        room: where contents are kept that are to be sent soon.
    """

    def __init__(self, kept: int = 32 * MIB) -> None:
        self.packs: dict[str, Pack] = {}
        self._dealer = Dealer()
        self._numbers: dict[Member, int] = {}
        self._small: dict[Member, _Place] = {}
        self._alone: dict[Member, _Place] = {}
        self._kept: dict[Member, bytes] = {}
        self.room = Room(kept)

    def add(self, file: LocalFile, line: str, members: list[Member], content: bytes | None = None) -> list[str]:
        """Take the contents of the next file, part by part; returns the names of the packs that are complete now.

        `line` is what tells the file from a changed one (`line_of`). A small content that was kept needs not be read
        again.
        """
        if shares_a_pack(members):
            (member,) = members
            if member in self._small:
                self.room.give(len(content or b""))
                return []
            self._small[member] = file, 0, line
            if content is not None:
                self._kept[member] = content
            return list(map(self._dealt_out, self._dealer.put(member)))
        names = []
        for at, member in enumerate(members):
            if member not in self._alone:
                self._alone[member] = file, at * PART, line
                names.append(self._complete(Pack((member,))))
        return names

    @property
    def between_packs(self) -> bool:
        """Whether no pack is open: the next small content begins one."""
        return self._dealer.empty

    def end(self) -> list[str]:
        """Complete the last pack; returns its name, if there is one."""
        return [self._dealt_out(pack) for pack in self._dealer.end()]

    def number(self, member: Member) -> int:
        """The number of the pack that a small content lies in."""
        return self._numbers[member]

    def let_go(self, names: Iterable[str]) -> None:
        """Make room: these packs are not going to be sent."""
        for name in names:
            for member in self.packs[name].members:
                self._forget(member)

    def _forget(self, member: Member) -> bytes | None:
        content = self._kept.pop(member, None)
        if content is not None:
            self.room.give(len(content))
        return content

    def _dealt_out(self, pack: Pack) -> str:
        name = self._complete(pack)
        self._numbers |= dict.fromkeys(pack.members, number_of(name))
        return name

    def _complete(self, pack: Pack) -> str:
        name = pack.name
        self.packs[name] = pack
        return name

    def wire(self, names: Iterable[str], spared: Callable[[int], None]) -> Iterator[bytes]:
        """Yield packs as they are sent, in pieces; several threads may draw from one iterator over names.

        Args:
            names: of the packs.
            spared: told the bytes that compression spares, pack by pack.

        Raises:
            ContextError: a file is not what it was (`context-file-changed`), or can't be read (`context-unreadable`).
        """
        import zstandard  # noqa: PLC0415  (where nothing has changed it is not needed)

        packer = zstandard.ZstdCompressor(level=LEVEL)
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

    def _read(self, member: Member) -> bytes:
        kept = self._forget(member)
        if kept is not None:
            return kept
        file, offset, line = self._small.get(member) or self._alone[member]
        piece = Piece(file, offset, member.size)
        with opened(file) as descriptor:
            content = b"".join(read_piece(descriptor, piece))
            if line_of(file.path, os.fstat(descriptor)) != line:
                raise changed(file.path)
        return content


def number_of(name: str) -> int:
    """The number by which a listing knows a pack, made of its name: the same pack has the same one."""
    return int(name[:15], 16)


def shares_a_pack(members: list[Member]) -> bool:
    """Whether a file lies in a pack with others."""
    return len(members) == 1 and members[0].size < SMALL
