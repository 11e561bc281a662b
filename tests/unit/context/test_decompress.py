"""Compressed uploads: every format, joined streams, damage, bombs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import time
import tracemalloc
from collections.abc import Callable

import pytest
import zstandard

from shipway.context.decompress import Decompressor
from shipway.context.limits import MIB, Limits
from shipway.exceptions import ContextError, ShipwayError, TooLarge
from tests.unit.context.archives import index, packed

Pack = Callable[[bytes], bytes]

NOISE = random.Random(7).randbytes(400_000)
PLAIN = NOISE + bytes(600_000) + NOISE[:1000]
PACKERS: dict[str, Pack] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "zstd-checksum": lambda raw: zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(raw),
}
COMPRESSED = [name for name in PACKERS if name != "plain"]
STEPS = [1, 11, 4096, 100_000, 10**7]


def plain(raw: bytes, limits: Limits | None = None, step: int = 65536) -> bytes:
    decompressor = Decompressor(limits or Limits())
    out = bytearray()
    for at in range(0, len(raw), step):
        for piece in decompressor.feed(raw[at : at + step]):
            assert 0 < len(piece) <= MIB
            out += piece
    for piece in decompressor.finish():
        out += piece
    assert (decompressor.taken, decompressor.given) == (len(raw), len(out))
    return bytes(out)


def refused(raw: bytes, limits: Limits | None = None) -> ShipwayError:
    with pytest.raises(ShipwayError) as caught:
        plain(raw, limits)
    return caught.value


@pytest.mark.parametrize("step", STEPS[1:])
@pytest.mark.parametrize("name", PACKERS)
def test_every_format_comes_out_whole(name: str, step: int) -> None:
    assert plain(PACKERS[name](PLAIN), step=step) == PLAIN


@pytest.mark.parametrize("name", PACKERS)
def test_bytes_may_come_one_by_one(name: str) -> None:
    assert plain(PACKERS[name](b"short"), step=1) == b"short"


@pytest.mark.parametrize("name", COMPRESSED)
def test_joined_streams_are_read_as_one(name: str) -> None:
    pack = PACKERS[name]

    assert plain(pack(PLAIN) + pack(b"") + pack(b"more"), step=999) == PLAIN + b"more"


def test_zstd_passes_over_skippable_frames() -> None:
    skipped = b"\x5a\x2a\x4d\x18\x03\0\0\0abc"

    assert plain(skipped + zstandard.compress(b"one") + skipped + zstandard.compress(b"two"), step=3) == b"onetwo"


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz"])
def test_zeros_after_a_stream_are_padding(name: str) -> None:
    assert plain(PACKERS[name](b"text") + bytes(1000)) == b"text"


def test_tar_whose_first_file_is_named_like_a_magic_number_stays_plain() -> None:
    raw = packed([("BZh91AY.txt", b"x")])

    assert plain(raw) == raw


def test_empty_stream_gives_nothing() -> None:
    assert plain(b"") == b""


@pytest.mark.parametrize("lost", [1, 5, 1000])
@pytest.mark.parametrize("name", COMPRESSED)
def test_truncated_stream_is_refused(name: str, lost: int) -> None:
    assert refused(PACKERS[name](PLAIN)[:-lost]).slug == "context-truncated"


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd-checksum"])
def test_damaged_stream_is_refused(name: str) -> None:
    raw = bytearray(PACKERS[name](PLAIN))
    raw[len(raw) // 2] ^= 0xFF

    assert refused(bytes(raw)).slug == "context-corrupt"


@pytest.mark.parametrize("name", COMPRESSED)
def test_garbage_after_a_stream_is_refused(name: str) -> None:
    assert refused(PACKERS[name](b"text") + b"garbage" * 10).slug == "context-corrupt"


@pytest.mark.parametrize("name", COMPRESSED)
def test_bomb_is_stopped_early_and_in_little_memory(name: str) -> None:
    bomb = PACKERS[name](bytes(100 * MIB))
    tracemalloc.start()

    error = refused(bomb)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(error, TooLarge)
    assert error.slug == "context-bomb"
    # xz and zstd windows live outside of Python's count; what is counted are the pieces and the first 16 MiB's copy.
    assert peak < 50 * MIB


def test_small_stream_of_zeros_is_no_bomb() -> None:
    assert len(plain(gzip.compress(bytes(8 * MIB)))) == 8 * MIB


def test_ratio_limit_is_as_configured() -> None:
    raw = gzip.compress(bytes(MIB))

    assert refused(raw, Limits(max_ratio=100, ratio_floor=1000)).slug == "context-bomb"
    assert len(plain(raw, Limits(max_ratio=2000, ratio_floor=1000))) == MIB


@pytest.mark.parametrize("name", PACKERS)
def test_plain_bytes_are_limited(name: str) -> None:
    error = refused(PACKERS[name](PLAIN), Limits(max_bytes=len(PLAIN) - 1))

    assert error.slug == "context-too-large"


def test_window_larger_than_allowed_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    huge_zstd = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    huge_xz = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 512 * MIB}])

    assert refused(huge_zstd.compress(PLAIN) + huge_zstd.flush()).slug == "context-bomb"
    assert refused(huge_xz).slug == "context-bomb"


def test_strongest_usual_settings_are_accepted() -> None:
    assert plain(lzma.compress(PLAIN, preset=9)) == PLAIN
    assert plain(zstandard.compress(PLAIN, 19)) == PLAIN


def test_many_tiny_zstd_blocks_cost_little_time_and_memory() -> None:
    """A thousand run-length blocks of four bytes each would be 128 MiB in one call of the library."""
    block = (128 * 1024 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    raw = b"\x28\xb5\x2f\xfd\x00\x58" + block * 1000
    began = time.process_time()

    assert refused(raw).slug == "context-bomb"
    assert time.process_time() - began < 2


def test_compressed_archive_is_indexed_as_the_plain_one() -> None:
    raw = packed([("a/b", b"content"), ("c", NOISE)])

    assert {index(plain(pack(raw), step=777)).to_bytes() for pack in PACKERS.values()} == {index(raw).to_bytes()}


def test_error_of_the_codec_is_no_server_error() -> None:
    assert isinstance(refused(b"\x1f\x8b\x08" + bytes(100)), ContextError)
