"""Packs: the blobs in which a client sends what a service lacks, each named by the digests of what is in it.

A pack holds the contents of some small files one after the other, or one part of a large file. Its name is the digest
of the list of its members' sizes and digests: who has checked the members has checked the name. Packs are cut where
the contents say so, not where a count is full, so that a changed file changes the pack it is in and no other.

On the wire packs follow each other. Each is: version (1 byte), encoding (1 byte: 0 plain, 1 zstd), number of members
(2 bytes), bytes that follow the list (4 bytes), the list (4 bytes of size and 32 of SHA-256 per member), the contents;
all numbers are big-endian.
"""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

from shipway.context.contents import PART
from shipway.context.limits import KIB, MIB

SMALL = 512 * KIB
"""Bytes from which on a file, or each part of it, is a pack of its own."""
MAX_PACK = 3 * MIB // 2
"""Bytes that a pack of small files has at most. Few come to it: a border there has no reason of its own, and when it
moves, it moves the next one along."""
MAX_MEMBERS = 4096
_MIN_PACK = 128 * KIB
_MEAN = 448 * KIB
"""Bytes after which a pack ends, on average, once it has the least."""
_MEMBER = struct.Struct(">I32s")
_HEADER = struct.Struct(">BBHI")
_VERSION = 1
HEADER = _HEADER.size
MEMBER = _MEMBER.size
PLAIN, ZSTD = 0, 1


class Member(NamedTuple):
    """What lies in a pack: bytes of content and their SHA-256 (raw)."""

    size: int
    digest: bytes


class Header(NamedTuple):
    """What a pack on the wire begins with."""

    encoding: int
    members: int
    length: int


class Pack(NamedTuple):
    """The members of a pack, in the order in which they lie there."""

    members: tuple[Member, ...]

    @property
    def listed(self) -> bytes:
        """The list of the members as it is sent, and of which the name is made."""
        return b"".join(_MEMBER.pack(*member) for member in self.members)

    @property
    def name(self) -> str:
        """What its blob is called: 64 hexadecimal digits."""
        return hashlib.sha256(self.listed).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all contents."""
        return sum(member.size for member in self.members)

    @classmethod
    def of_listed(cls, listed: bytes) -> Pack:
        """Read a list of members."""
        return cls(tuple(Member(*fields) for fields in _MEMBER.iter_unpack(listed)))


def header_of(pack: Pack, encoding: int, length: int) -> bytes:
    """What stands before the contents of a pack on the wire, of which `length` bytes follow."""
    return _HEADER.pack(_VERSION, encoding, len(pack.members), length) + pack.listed


def parse_header(raw: bytes) -> Header | None:
    """Read the first bytes of a pack; None if they are of no version, encoding or size that there is."""
    version, encoding, members, length = _HEADER.unpack(raw)
    good = version == _VERSION and encoding in (PLAIN, ZSTD) and 0 < members <= MAX_MEMBERS and 0 < length <= PART
    return Header(encoding, members, length) if good else None


class Dealer:
    """Deals small contents into packs, in their order; each content should come once.

    A pack ends behind a content whose digest says so, with a chance in proportion to its size. Were it the count that
    ends packs, one more file would move the borders of all that come after it.
    """

    def __init__(self) -> None:
        self._held: list[Member] = []
        self._size = 0

    @property
    def empty(self) -> bool:
        """Whether no pack is open."""
        return not self._held

    def put(self, member: Member) -> list[Pack]:
        """Take the next content; returns the packs that are complete now."""
        full = self._size + member.size > MAX_PACK or len(self._held) == MAX_MEMBERS
        done = self.end() if full else []
        self._held.append(member)
        self._size += member.size
        return done + self.end() if self._size >= _MIN_PACK and _ends(member) else done

    def end(self) -> list[Pack]:
        """End the pack that is open, if one is."""
        done = [Pack(tuple(self._held))] if self._held else []
        self._held, self._size = [], 0
        return done


def _ends(member: Member) -> bool:
    return int.from_bytes(member.digest[:8], "big") * _MEAN < member.size << 64
