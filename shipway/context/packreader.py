"""Reads packs as they come in, and believes nothing that they say before it is checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from shipway.context.codec import TooMuchMemoryError, Zstd
from shipway.context.contents import PART
from shipway.context.packs import HEADER, MEMBER, ZSTD, Header, Pack, parse_header
from shipway.exceptions import ContextError, TooLarge


class PackReader:
    """Takes a stream of packs in chunks of any size and gives those that are whole, each of at most 8 MiB.

    Slugs of what is refused: `pack-invalid` (it is no pack), `pack-mismatch` (a content is not what the list says),
    `pack-truncated` (the stream breaks off inside) as ContextError; `pack-too-large` as TooLarge.
    """

    def __init__(self) -> None:
        self._head = bytearray()
        self._header: Header | None = None
        self._pack: Pack | None = None
        self._unpacker: Zstd | None = None
        # One piece of memory for all packs: new memory for each is dear where the system has to find its pages first.
        self._room = memoryview(bytearray(PART))
        self._filled = 0
        self._left = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[Pack, memoryview]]:
        """Yield the packs that a chunk completes; the work is done while the iterator is consumed.

        A pack's content is to be read before the next one is asked for: its memory is used again.
        """
        rest = memoryview(chunk)
        while rest:
            if self._pack is None:
                rest = self._open(rest)
                if self._pack is None:
                    return
            piece, rest = rest[: self._left], rest[self._left :]
            self._take(piece)
            if not self._left:
                yield self._close()

    def finish(self) -> None:
        """Check that the stream may end here."""
        if self._head or self._header is not None:
            raise ContextError("the packs break off before their end", slug="pack-truncated")

    def _open(self, rest: memoryview) -> memoryview:
        """Read header and list, as much of them as is there; returns what comes after them."""
        if self._header is None:
            rest = self._gather(rest, HEADER)
            if len(self._head) < HEADER:
                return rest
            self._header = parse_header(bytes(self._head))
            if self._header is None:
                raise _invalid("its header is of an unknown version or says impossible things")
            self._head.clear()
        size = self._header.members * MEMBER
        rest = self._gather(rest, size)
        if len(self._head) < size:
            return rest
        pack = Pack.of_listed(bytes(self._head))
        self._head.clear()
        if pack.size > PART:
            raise TooLarge(f"a pack has at most {PART} bytes", slug="pack-too-large")
        if not all(member.size for member in pack.members):
            raise _invalid("a member is empty")
        packed = self._header.encoding == ZSTD
        if self._header.length > pack.size or (not packed and self._header.length != pack.size):
            raise _invalid("its length is not that of its members")
        self._pack, self._left = pack, self._header.length
        self._unpacker = Zstd() if packed else None
        return rest

    def _gather(self, rest: memoryview, size: int) -> memoryview:
        lacking = size - len(self._head)
        self._head += rest[:lacking]
        return rest[lacking:]

    def _take(self, piece: memoryview) -> None:
        """Read content; of what is packed no more than the list says is ever held."""
        self._left -= len(piece)
        if self._unpacker is None:
            self._put(piece)
            return
        try:
            for plain in self._unpacker.feed(bytes(piece)):
                self._put(plain)
        except (ValueError, TooMuchMemoryError) as fault:
            raise _invalid(f"it can't be unpacked: {fault}") from None

    def _put(self, piece: bytes | memoryview) -> None:
        end = self._filled + len(piece)
        if self._pack is None or end > self._pack.size:
            raise _invalid("it unpacks to more than its members")
        self._room[self._filled : end] = piece
        self._filled = end

    def _close(self) -> tuple[Pack, memoryview]:
        """Check every member against its digest."""
        pack, content = self._pack, self._room[: self._filled]
        if pack is None or len(content) != pack.size:
            raise _invalid("it unpacks to less than its members")
        at = 0
        for member in pack.members:
            if hashlib.sha256(content[at : at + member.size]).digest() != member.digest:
                raise ContextError(
                    f"the content at byte {at} of pack {pack.name} is not what its digest says", slug="pack-mismatch"
                )
            at += member.size
        self._header = self._pack = self._unpacker = None
        self._filled = 0
        return pack, content


def _invalid(why: str) -> ContextError:
    return ContextError(f"a pack can't be read: {why}", slug="pack-invalid")
