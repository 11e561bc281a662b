"""Finds the pieces of a zstd stream without decompressing it.

Source: RFC 8878, "Zstandard Compression". Two things need this that the `zstandard` library does not offer while
streaming: to bound the output held at once (one block gives at most 128 KiB, while a few KiB of input may hold
thousands of blocks), and to know whether the stream ends at the end of a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # after a first byte of 0x50 to 0x5f
_DICTIONARY_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)
_RLE_BLOCK = 1


class Piece(NamedTuple):
    """Bytes that belong to one frame and hold at most one block."""

    content: bytes
    starts_frame: bool
    skippable: bool


class FrameSplitter:
    """Splits a stream of zstd frames, fed in chunks of any size, into pieces."""

    def __init__(self) -> None:
        self._pending = bytearray()  # a field that has not arrived whole
        self._wanted = 4
        self._next: Callable[[bytes], None] = self._magic
        self._body = 0  # bytes still to pass on unread
        self._starts = True
        self._skippable = False
        self._descriptor = 0

    @property
    def between_frames(self) -> bool:
        """Whether the stream may end here."""
        return self._next == self._magic and not self._pending and not self._body

    def split(self, chunk: bytes) -> Iterator[Piece]:
        """Yield the pieces that a chunk completes or continues; a field cut in two waits for its rest.

        Raises:
            ValueError: what should be a frame is none.
        """
        at = 0
        while at < len(chunk):
            if self._body:
                content = chunk[at : at + self._body]
                self._body -= len(content)
                at += len(content)
                yield Piece(content, starts_frame=False, skippable=self._skippable)
                continue
            field = chunk[at : at + self._wanted - len(self._pending)]
            at += len(field)
            self._pending += field
            if len(self._pending) < self._wanted:
                return
            field = bytes(self._pending)
            self._pending.clear()
            starts, self._starts = self._starts, False
            self._next(field)
            yield Piece(field, starts_frame=starts, skippable=self._skippable)

    def _expect(self, wanted: int, then: Callable[[bytes], None]) -> None:
        self._wanted, self._next = wanted, then

    def _end_frame(self) -> None:
        self._starts = True
        self._expect(4, self._magic)

    def _magic(self, field: bytes) -> None:
        self._skippable = field[1:] == _SKIPPABLE and field[0] >> 4 == 5  # noqa: PLR2004 - 0x50 to 0x5f
        if self._skippable:
            self._expect(4, self._skippable_size)
        elif field == _MAGIC:
            self._expect(1, self._frame_descriptor)
        else:
            raise ValueError("no zstd frame where one should begin")

    def _skippable_size(self, field: bytes) -> None:
        self._body = int.from_bytes(field, "little")
        self._end_frame()

    def _frame_descriptor(self, field: bytes) -> None:
        self._descriptor = field[0]
        single_segment = field[0] >> 5 & 1
        content_size = _CONTENT_SIZE_BYTES[field[0] >> 6] or single_segment
        rest = (not single_segment) + _DICTIONARY_BYTES[field[0] & 3] + content_size
        self._expect(rest, lambda _field: self._expect(3, self._block))

    def _block(self, field: bytes) -> None:
        header = int.from_bytes(field, "little")
        kind, size = header >> 1 & 3, header >> 3
        self._body = 1 if kind == _RLE_BLOCK else size
        if not header & 1:
            self._expect(3, self._block)
        elif self._descriptor >> 2 & 1:
            self._expect(4, lambda _checksum: self._end_frame())
        else:
            self._end_frame()
