"""Decompression of one format, push style, in pieces of bounded size.

Each codec takes compressed chunks and yields plain pieces of at most `PIECE` bytes; none keeps more than a piece and
its format's window. `finish` says whether the stream may end where it ended. Streams joined end to end (as pigz, pbzip2
and `cat` make them) are read as one, zero bytes after a stream as padding.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Protocol

from shipway.context.limits import KIB, MIB
from shipway.context.zstdframes import FrameSplitter

PIECE = 256 * KIB
MAX_WINDOW = 64 * MIB
"""Largest window or dictionary: `xz -9` and `zstd --long=26` need this much. It bounds the memory of one upload."""

_XZ_MEMORY = MAX_WINDOW + 32 * MIB
_GZIP_WINDOW = 31  # a 32 KiB window, with gzip's header and checksum
_SLICE = 64 * KIB  # zlib hands back the rest of its input by copying it: small slices keep that cheap


class TooMuchMemoryError(Exception):
    """The stream asks for a larger window than is allowed."""


class Codec(Protocol):
    """One compression format."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk decompresses to; must be exhausted before the next call.

        Raises:
            ValueError: the stream is damaged.
            TooMuchMemoryError: its window is too large.
        """
        ...

    def complete(self) -> bool:
        """Return whether the stream may end here."""
        ...


class Plain:
    """No compression at all."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the chunk, in pieces."""
        if len(chunk) <= PIECE:
            yield chunk
            return
        for at in range(0, len(chunk), PIECE):
            yield chunk[at : at + PIECE]

    def complete(self) -> bool:
        """Return True: what plain bytes mean is for the reader of them to say."""
        return True


class _Member(Protocol):
    """The decompressor of one stream out of several."""

    eof: bool
    rest: bytes

    def pieces(self, chunk: bytes) -> Iterator[bytes]: ...


class _GzipMember:
    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP_WINDOW)
        self.eof = False
        self.rest = b""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        pending = chunk
        while True:
            try:
                piece = self._zlib.decompress(pending, PIECE)
            except zlib.error as error:
                raise ValueError(str(error)) from None
            if piece:
                yield piece
            pending = self._zlib.unconsumed_tail
            self.eof, self.rest = self._zlib.eof, self._zlib.unused_data
            # A full piece may have more behind it even if all input was taken.
            if self.eof or (not pending and len(piece) < PIECE):
                return


class _BlockMember:
    """A member of bzip2 or xz: their decompressors have the same methods."""

    def __init__(self, decompressor: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._decompressor = decompressor
        self.eof = False
        self.rest = b""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        pending = chunk
        while True:
            try:
                piece = self._decompressor.decompress(pending, PIECE)
            except (OSError, lzma.LZMAError) as error:
                if "Memory usage limit" in str(error):
                    raise TooMuchMemoryError from None
                raise ValueError(str(error)) from None
            pending = b""
            if piece:
                yield piece
            self.eof = self._decompressor.eof
            if self.eof:
                self.rest = self._decompressor.unused_data
                return
            if self._decompressor.needs_input:
                return


class _Joined:
    """Members joined end to end."""

    def __init__(self) -> None:
        self._member: _Member | None = self.open()

    def open(self) -> _Member:
        """Return a decompressor for the next member."""
        raise NotImplementedError

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk decompresses to."""
        for at in range(0, len(chunk), _SLICE):
            pending = chunk[at : at + _SLICE]
            while pending:
                if self._member is None:
                    pending = pending.lstrip(b"\0")
                    if not pending:
                        break
                    self._member = self.open()
                yield from self._member.pieces(pending)
                pending = self._member.rest if self._member.eof else b""
                if self._member.eof:
                    self._member = None

    def complete(self) -> bool:
        """Return whether no member is open."""
        return self._member is None


class Gzip(_Joined):
    """Members of gzip."""

    def open(self) -> _Member:
        """Return a decompressor for the next member."""
        return _GzipMember()


class Bzip2(_Joined):
    """Streams of bzip2."""

    def open(self) -> _Member:
        """Return a decompressor for the next stream."""
        return _BlockMember(bz2.BZ2Decompressor())


class Xz(_Joined):
    """Streams of xz."""

    def open(self) -> _Member:
        """Return a decompressor for the next stream."""
        return _BlockMember(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))


class Zstd:
    """Frames of zstd, skippable ones passed over."""

    def __init__(self) -> None:
        # Only servers have the library: the client never decompresses.
        import zstandard  # noqa: PLC0415

        self._error = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        self._frame = self._decompressor.decompressobj()
        self._splitter = FrameSplitter()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk decompresses to, block by block."""
        for piece in self._splitter.split(chunk):
            if piece.skippable:
                continue
            if piece.starts_frame:
                self._frame = self._decompressor.decompressobj()
            try:
                plain = self._frame.decompress(piece.content)
            except self._error as error:
                if "requires too much memory" in str(error):
                    raise TooMuchMemoryError from None
                raise ValueError(str(error)) from None
            if plain:
                yield plain

    def complete(self) -> bool:
        """Return whether no frame is open."""
        return self._splitter.between_frames
