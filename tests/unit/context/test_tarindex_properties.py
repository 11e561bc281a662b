"""Laws that hold for any archive."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import itertools
import lzma
import tarfile

import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipway.context.decompress import Decompressor
from shipway.context.limits import Limits
from shipway.context.tarindex import TarIndexer
from shipway.exceptions import ContextError, TooLarge
from shipway.models.context import EntryType
from tests.unit.context.archives import END, index, member, packed, pax_member, raw_header, record

SMALL = Limits(max_bytes=2**20, max_entries=50, ratio_floor=2**16)

kinds = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
names = st.lists(st.sampled_from(["a", "b", "..", ".", "é", "n" * 150]), min_size=1, max_size=4).map("/".join)
members = st.builds(
    lambda name, kind, content, link: member(
        name, content if kind == tarfile.REGTYPE else b"", kind=kind, link=link if kind in b"12" else ""
    ),
    names,
    kinds,
    st.binary(max_size=1500),
    names,
)
records = st.builds(
    record, st.sampled_from(["path", "linkpath", "size", "mtime", "comment", "GNU.sparse.map"]), st.binary(max_size=20)
)
blocks = st.one_of(
    members,
    records.map(pax_member),
    st.binary(max_size=600).map(pax_member),
    st.builds(
        raw_header,
        st.binary(min_size=1, max_size=99),
        kind=st.binary(min_size=1, max_size=1),
        size=st.binary(max_size=12),
        mtime=st.binary(max_size=12),
    ),
    st.just(END),
    st.binary(max_size=600),
)


def fed(raw: bytes, cuts: list[int]) -> bytes | str:
    """Index an archive cut into chunks; the manifest's bytes, or the slug of the refusal."""
    indexer = TarIndexer(SMALL, "blob")
    places = sorted({min(cut, len(raw)) for cut in cuts} | {0, len(raw)})
    try:
        for start, end in itertools.pairwise(places):
            indexer.feed(memoryview(raw)[start:end])
        return indexer.finish().to_bytes()
    except (ContextError, TooLarge) as error:
        return error.slug


@given(st.lists(blocks, max_size=6).map(b"".join), st.lists(st.integers(0, 8000), max_size=6))
@settings(max_examples=300)
def test_chunk_borders_change_nothing_and_nothing_else_is_raised(raw: bytes, cuts: list[int]) -> None:
    assert fed(raw, cuts) == fed(raw, [])


@given(st.lists(members, max_size=6).map(b"".join))
@settings(max_examples=300)
def test_no_entry_lies_below_anything_but_a_directory(raw: bytes) -> None:
    with contextlib.suppress(ContextError):
        manifest = index(raw + END)
        for entry in manifest:
            parent = manifest.get(entry.path.rpartition("/")[0])
            assert parent is None or parent.type is EntryType.DIR
            assert (parent is None) == ("/" not in entry.path)
            assert not {"", ".", ".."} & set(entry.path.split("/"))


@given(
    st.dictionaries(st.text("abc/é", min_size=1, max_size=150), st.binary(max_size=1200), max_size=5),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
@settings(max_examples=200)
def test_indexer_finds_what_the_standard_library_finds(files: dict[str, bytes], form: int) -> None:
    try:
        raw = packed(files.items(), form)
        found = {entry.path: raw[entry.offset : entry.offset + entry.size] for entry in index(raw) if entry.size}
    except (ContextError, ValueError):
        return  # absolute, through a file, or too long for ustar
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        expected: dict[str, bytes] = {}
        for info in tar:
            stream = tar.extractfile(info)
            assert stream is not None
            path = "/".join(part for part in info.name.split("/") if part)
            expected = {other: kept for other, kept in expected.items() if not other.startswith(f"{path}/")}
            expected[path] = stream.read()

    assert found == {path: content for path, content in expected.items() if content}


ARCHIVE = packed([("a", bytes(5000)), ("b", bytes(range(256)) * 9)])
PACKERS = [gzip.compress, bz2.compress, lzma.compress, zstandard.compress, bytes]


@given(st.sampled_from(PACKERS), st.data())
@settings(max_examples=200)
@example(zstandard.compress, None)
def test_damaged_stream_raises_nothing_but_context_errors(pack: object, data: st.DataObject | None) -> None:
    assert callable(pack)
    raw = bytearray(pack(ARCHIVE))
    for _ in range(3 if data else 0):
        assert data is not None
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    step = data.draw(st.integers(1, 600)) if data else 7

    decompressor, indexer = Decompressor(SMALL), TarIndexer(SMALL, "blob")
    with contextlib.suppress(ContextError, TooLarge):
        for at in range(0, len(raw), step):
            for piece in decompressor.feed(bytes(raw[at : at + step])):
                indexer.feed(piece)
        for piece in decompressor.finish():
            indexer.feed(piece)
        assert len(indexer.finish()) <= SMALL.max_entries
