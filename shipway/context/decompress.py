"""Decompresses an uploaded archive while it streams past, within limits.

The format is told by its first bytes, not by what the client calls it. Source of the ratio limit: a daemon unpacks
compressed contexts without any limit, so that 408 KB became 800 MB of disk (DESIGN §6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shipway.context.codec import MAX_WINDOW, Bzip2, Codec, Gzip, Plain, TooMuchMemoryError, Xz, Zstd
from shipway.context.limits import Limits
from shipway.exceptions import ContextError, TooLarge

_PROBE = 10
"""First bytes needed to tell every format: a tar may well begin with a file named `BZh…`."""

_BZIP2_BLOCK = b"1AY&SY"
_BZIP2_END = b"\x17rE8P\x90"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"


class Decompressor:
    """Takes a plain or compressed stream (gzip, bzip2, xz, zstd) in chunks of any size, gives plain pieces.

    Slugs of what is refused: `context-truncated` (the compressed stream breaks off) and `context-corrupt` as
    ContextError; `context-bomb` (expands beyond the ratio, or needs too large a window) and `context-too-large`
    as TooLarge.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._codec: Codec | None = None
        self._probe = b""
        self._taken = 0
        self._given = 0

    @property
    def taken(self) -> int:
        """Bytes that came in."""
        return self._taken

    @property
    def given(self) -> int:
        """Plain bytes that went out."""
        return self._given

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the plain pieces, each of at most 256 KiB, that a chunk decompresses to.

        The work is done while the iterator is consumed: exhaust it before the next call.
        """
        self._taken += len(chunk)
        if self._codec is None:
            self._probe += chunk
            if len(self._probe) < _PROBE:
                return
            chunk, self._probe = self._probe, b""
            self._codec = _codec(chunk)
        yield from self._pieces(self._codec, chunk)

    def finish(self) -> Iterator[bytes]:
        """Yield what is left at the end of the stream, and check that it may end there."""
        if self._codec is None:
            self._codec = _codec(self._probe)
            yield from self._pieces(self._codec, self._probe)
        if not self._codec.complete():
            raise ContextError(f"the compressed context breaks off after {self._taken} bytes", slug="context-truncated")

    def _pieces(self, codec: Codec, chunk: bytes) -> Iterator[bytes]:
        try:
            for piece in codec.feed(chunk):
                self._given += len(piece)
                self._check(codec)
                yield piece
        except ValueError as error:
            raise ContextError(f"the compressed context is damaged: {error}", slug="context-corrupt") from None
        except TooMuchMemoryError:
            raise TooLarge(
                f"the context is compressed with a window of more than {MAX_WINDOW} bytes", slug="context-bomb"
            ) from None

    def _check(self, codec: Codec) -> None:
        limits = self._limits
        limits.check_bytes(self._given)
        if isinstance(codec, Plain) or self._given <= limits.ratio_floor:
            return
        if self._given > limits.max_ratio * self._taken:
            raise TooLarge(
                f"the compressed context expands to more than {limits.max_ratio} times its size", slug="context-bomb"
            )


def _codec(start: bytes) -> Codec:
    """Return the codec for a stream that begins with these bytes."""
    make: Callable[[], Codec] = Plain
    if start.startswith(b"\x1f\x8b\x08"):
        make = Gzip
    elif start.startswith(b"BZh") and start[4:10] in (_BZIP2_BLOCK, _BZIP2_END):
        make = Bzip2
    elif start.startswith(b"\xfd7zXZ\x00"):
        make = Xz
    elif start.startswith(b"\x28\xb5\x2f\xfd") or (start[1:4] == _ZSTD_SKIPPABLE and start[0] >> 4 == 5):  # noqa: PLR2004
        make = Zstd
    return make()
