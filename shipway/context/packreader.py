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
        self._buffer = bytearray()
        self._header: Header | None = None
        self._pack: Pack | None = None
        self._unpacker: Zstd | None = None
        self._content = bytearray()
        self._left = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[Pack, bytes]]:
        """Yield the packs that a chunk completes; the work is done while the iterator is consumed."""
        self._buffer += chunk
        while self._buffer:
            if self._pack is None and not self._open():
                return
            self._take()
            if self._left:
                return
            yield self._close()

    def finish(self) -> None:
        """Check that the stream may end here."""
        if self._buffer or self._pack is not None:
            raise ContextError("the packs break off before their end", slug="pack-truncated")

    def _open(self) -> bool:
        """Read header and list once they are there."""
        if self._header is None:
            if len(self._buffer) < HEADER:
                return False
            self._header = parse_header(self._cut(HEADER))
            if self._header is None:
                raise _invalid("its header is of an unknown version or says impossible things")
        size = self._header.members * MEMBER
        if len(self._buffer) < size:
            return False
        pack = Pack.of_listed(self._cut(size))
        if pack.size > PART:
            raise TooLarge(f"a pack has at most {PART} bytes", slug="pack-too-large")
        if not all(member.size for member in pack.members):
            raise _invalid("a member is empty")
        packed = self._header.encoding == ZSTD
        if self._header.length > pack.size or (not packed and self._header.length != pack.size):
            raise _invalid("its length is not that of its members")
        self._pack, self._left = pack, self._header.length
        self._unpacker = Zstd() if packed else None
        return True

    def _take(self) -> None:
        """Read content; of what is packed no more than the list says is ever held."""
        piece = self._cut(min(self._left, len(self._buffer)))
        self._left -= len(piece)
        if self._unpacker is None:
            self._content += piece
            return
        size = self._pack.size if self._pack is not None else 0
        try:
            for plain in self._unpacker.feed(piece):
                self._content += plain
                if len(self._content) > size:
                    raise _invalid("it unpacks to more than its members")
        except (ValueError, TooMuchMemoryError) as fault:
            raise _invalid(f"it can't be unpacked: {fault}") from None

    def _close(self) -> tuple[Pack, bytes]:
        """Check every member against its digest."""
        pack, content = self._pack, bytes(self._content)
        if pack is None or len(content) != pack.size:
            raise _invalid("it unpacks to less than its members")
        view, at = memoryview(content), 0
        for member in pack.members:
            if hashlib.sha256(view[at : at + member.size]).digest() != member.digest:
                raise ContextError(
                    f"the content at byte {at} of pack {pack.name} is not what its digest says", slug="pack-mismatch"
                )
            at += member.size
        self._header = self._pack = self._unpacker = None
        self._content.clear()
        return pack, content

    def _cut(self, size: int) -> bytes:
        piece = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return piece


def _invalid(why: str) -> ContextError:
    return ContextError(f"a pack can't be read: {why}", slug="pack-invalid")
