"""What the indexer makes of archives, good and hostile."""

from __future__ import annotations

import hashlib
import tarfile
import time
import tracemalloc

import pytest

from shipway.context.limits import Limits
from shipway.context.tarindex import TarIndexer
from shipway.exceptions import TooLarge
from shipway.models.context import Entry, EntryType
from tests.unit.context.archives import END, index, member, packed, pax_member, raw_header, record, refused


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_entries_tell_everything_that_the_archive_says() -> None:
    raw = (
        member("dir/", kind=tarfile.DIRTYPE, mode=0o2750, mtime=5)
        + member("dir/tool", b"content", mode=0o104755, mtime=1.5)
        + member("dir/link", kind=tarfile.SYMTYPE, link="/etc//passwd", mtime=7)
        + END
    )
    manifest = index(raw)

    tool = manifest.get("dir/tool")
    assert tool is not None
    assert raw[tool.offset : tool.offset + tool.size] == b"content"
    assert list(manifest) == [
        Entry("dir", EntryType.DIR, 0o2750, 0, 5_000_000_000),
        Entry("dir/link", EntryType.SYMLINK, 0o777, 0, 7_000_000_000, "/etc//passwd"),
        Entry("dir/tool", EntryType.FILE, 0o4755, 7, 1_500_000_000, "", digest(b"content"), "blob", tool.offset),
    ]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_of_long_names_is_read(form: int) -> None:
    name = f"{'d' * 120}/{'e' * 60}/ünïcode-{'f' * 20}"

    assert [entry.path for entry in index(packed([(name, b"x")], form)) if entry.size] == [name]


def test_path_of_300_bytes_is_fine() -> None:
    name = "/".join(["abcdefghi"] * 30)

    assert index(packed([(name, b"x")])).get(name) is not None


def test_long_link_target_of_gnu_tar_is_read() -> None:
    raw = member("link", kind=tarfile.SYMTYPE, link="t" * 300, form=tarfile.GNU_FORMAT) + END

    assert [entry.link for entry in index(raw)] == ["t" * 300]


def test_names_are_cleaned_and_the_root_is_dropped() -> None:
    raw = member("./", kind=tarfile.DIRTYPE) + member(".//a/./b", b"x") + member("./c/", kind=tarfile.DIRTYPE) + END

    assert [entry.path for entry in index(raw)] == ["a", "a/b", "c"]


def test_directory_of_the_oldest_format_is_told_by_its_slash() -> None:
    raw = raw_header(b"old/", kind=b"\0") + END

    assert [entry.type for entry in index(raw)] == [EntryType.DIR]


def test_archive_without_members_is_an_empty_context() -> None:
    assert len(index(END)) == 0


def test_whatever_follows_the_end_marker_is_ignored() -> None:
    assert len(index(member("a") + END + b"garbage" * 1000)) == 1


def test_global_header_applies_to_all_members_and_can_be_taken_back() -> None:
    raw = (
        pax_member(record("comment", b"made by git archive") + record("mtime", b"12.5"), b"g")
        + raw_header(b"a")
        + pax_member(record("mtime", b""))
        + raw_header(b"b", mtime=b"00000000007")
        + END
    )

    assert [entry.mtime_ns for entry in index(raw)] == [12_500_000_000, 7_000_000_000]


@pytest.mark.parametrize(
    ("value", "expected"), [(b"-1.5", -1_500_000_000), (b"9" * 18, 2**63 - 1), (b"3", 3_000_000_000)]
)
def test_times_keep_their_nanoseconds_within_64_bits(value: bytes, expected: int) -> None:
    assert [entry.mtime_ns for entry in index(pax_member(record("mtime", value)) + raw_header() + END)] == [expected]


def test_hard_link_becomes_a_file_with_the_content_of_its_target() -> None:
    manifest = index(
        member("a", b"content", mode=0o755)
        + member("sub/b", kind=tarfile.LNKTYPE, link="./a")
        + member("a", b"new")
        + END
    )

    linked = manifest.get("sub/b")
    assert linked is not None
    assert (linked.type, linked.size, linked.mode, linked.digest) == (EntryType.FILE, 7, 0o755, digest(b"content"))


def test_last_of_several_members_with_one_path_wins() -> None:
    manifest = index(member("a", b"first") + member("./a", b"second!") + END)

    assert [(entry.path, entry.size) for entry in manifest] == [("a", 7)]


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE])
def test_directory_replaced_by_something_else_takes_its_children_along(kind: bytes) -> None:
    raw = member("d/e/f", b"x") + member("d/g", b"y") + member("d", kind=kind, link="t") + END

    assert [entry.path for entry in index(raw)] == ["d"]


def test_directory_given_twice_keeps_its_children() -> None:
    raw = member("d/f", b"x") + member("d/", kind=tarfile.DIRTYPE, mode=0o700) + END

    assert [(entry.path, entry.mode) for entry in index(raw)] == [("d", 0o700), ("d/f", 0o644)]


def test_children_may_come_back_after_their_directory_did() -> None:
    raw = member("d/f", b"x") + member("d", b"") + member("d/", kind=tarfile.DIRTYPE) + member("d/g", b"y") + END

    assert [entry.path for entry in index(raw)] == ["d", "d/g"]


SPARSE_10 = record("GNU.sparse.major", b"1") + record("GNU.sparse.realsize", b"300000000")
HOSTILE = [
    ("context-empty", b""),
    ("context-not-tar", b"short"),
    ("context-not-tar", b"x" * 2000),
    ("context-not-tar", b"\x7fELF" + bytes(5000)),
    ("context-truncated", member("a", b"x" * 2000)[:1000]),
    ("context-truncated", member("a", b"x" * 100)),
    ("context-truncated", member("a") + bytes(100)),
    ("context-truncated", pax_member(record("path", b"b"))),
    ("context-corrupt", member("a") + b"y" * 512 + END),
    ("context-corrupt", member("a") + bytes(512) + member("b") + END),
    ("context-corrupt", pax_member(record("path", b"b")) + END),
    ("context-path-escapes", member("../../etc/passwd") + END),
    ("context-path-escapes", member("a/../../b") + END),
    ("context-path-escapes", member("/etc/passwd") + END),
    ("context-path-escapes", pax_member(record("path", b"/etc/passwd")) + raw_header() + END),
    ("context-path-escapes", member("a", kind=tarfile.LNKTYPE, link="/etc/passwd") + END),
    ("context-path-escapes", member("a", kind=tarfile.LNKTYPE, link="../x") + END),
    ("context-hardlink-target", member("a", kind=tarfile.LNKTYPE, link="later") + member("later") + END),
    ("context-hardlink-target", member("d/", kind=tarfile.DIRTYPE) + member("a", kind=b"1", link="d") + END),
    ("context-special-file", member("a", kind=tarfile.CHRTYPE) + END),
    ("context-special-file", member("a", kind=tarfile.BLKTYPE) + END),
    ("context-special-file", member("a", kind=tarfile.FIFOTYPE) + END),
    ("context-special-file", member("a", kind=b"M") + END),
    ("context-sparse", raw_header(kind=b"S") + END),
    ("context-sparse", pax_member(SPARSE_10) + raw_header() + END),
    ("context-sparse", pax_member(SPARSE_10, b"g") + raw_header() + END),
    ("context-sparse", pax_member(record("GNU.sparse.map", b"0,1")) + raw_header() + END),
    ("context-sparse", pax_member(record("SCHILY.realsize", b"99")) + raw_header() + END),
    ("context-sparse", pax_member(record("SUN.holesdata", b" 0 9")) + raw_header() + END),
    ("context-name-encoding", raw_header(b"caf\xe9") + END),
    ("context-name-encoding", pax_member(record("path", b"a\0b")) + raw_header() + END),
    ("context-name-encoding", pax_member(record("linkpath", b"\xff")) + raw_header(kind=b"2") + END),
    ("context-path-too-long", member("n" * 256) + END),
    ("context-path-too-long", member("é" * 128) + END),
    ("context-path-too-long", member("/".join(["n" * 200] * 21)) + END),
    ("context-path-too-long", member("a", kind=tarfile.SYMTYPE, link="t" * 4097) + END),
    ("context-path-through-link", member("l", kind=tarfile.SYMTYPE, link="/etc") + member("l/passwd") + END),
    ("context-path-through-link", member("f") + member("f/g") + END),
    ("context-path-through-link", member("f") + member("f/deep/g/") + END),
    ("context-bad-pax", pax_member(b"7 a=b") + raw_header() + END),
    ("context-bad-pax", pax_member(b"99 a=b\n") + raw_header() + END),
    ("context-bad-pax", pax_member(b"0 a=b\n") + raw_header() + END),
    ("context-bad-pax", pax_member(b"x path=b\n") + raw_header() + END),
    ("context-bad-pax", pax_member(b"7 path\n") + raw_header() + END),
    ("context-bad-pax", pax_member(record("size", b"-1")) + raw_header() + END),
    ("context-bad-pax", pax_member(record("size", b"1e3")) + raw_header() + END),
    ("context-bad-pax", pax_member(record("size", b"9" * 5000)) + raw_header() + END),
    ("context-bad-pax", pax_member(record("mtime", b"now")) + raw_header() + END),
    ("context-bad-header", raw_header(size=b"\xff" * 12) + END),
    ("context-bad-header", raw_header(size=b"12x") + END),
    ("context-bad-header", raw_header(size=b"99") + END),
    ("context-bad-header", raw_header(b"") + END),
    ("context-bad-header", raw_header(b"dir/", size=b"00000000005") + b"hello" + bytes(507) + END),
    ("context-bad-header", member("l", kind=tarfile.SYMTYPE) + END),
    ("context-metadata-too-large", raw_header(kind=b"x", size=b"00010000000") + END),
    ("context-metadata-too-large", raw_header(kind=b"L", size=b"00010000000") + END),
    ("context-too-large", raw_header(size=b"\x80" + b"\x7f" * 11) + END),
    ("context-too-large", pax_member(record("size", b"9" * 19)) + raw_header() + END),
]  # fmt: skip


@pytest.mark.parametrize(("slug", "raw"), HOSTILE)
def test_what_no_context_may_hold_is_refused_with_its_own_slug(slug: str, raw: bytes) -> None:
    error = refused(raw)

    assert error.slug == slug
    assert error.status == (413 if slug == "context-too-large" else 400)
    assert len(error.message) < 400


def test_message_names_the_path() -> None:
    assert "dev/sda" in refused(member("dev/sda", kind=tarfile.BLKTYPE) + END).message


def test_bytes_are_counted_wherever_they_stand() -> None:
    limits = Limits(max_bytes=5000)

    assert refused(member("a", b"x" * 6000) + END, limits).slug == "context-too-large"
    assert refused(END + bytes(6000), limits).slug == "context-too-large"


def test_entries_are_counted_with_the_parents_they_imply() -> None:
    raw = packed([("a/b/c/d", b"")])

    assert len(index(raw, Limits(max_entries=4))) == 4
    assert refused(raw, Limits(max_entries=3)).slug == "context-too-many-entries"


def test_deep_paths_do_not_multiply_into_memory() -> None:
    """A thousand deep paths of 4 KiB imply two million directories with names of 4 GB."""
    raw = b"".join(member(f"{n}/" + "x/" * 2000 + "f") for n in range(1000)) + END
    tracemalloc.start()

    error = refused(raw, Limits(max_names=16 * 2**20))

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(error, TooLarge)
    assert peak < 60 * 2**20


def test_replacing_directories_over_and_over_stays_linear() -> None:
    once = b"".join(member(f"d/{n}") for n in range(50)) + member("d")
    raw = b"".join([once + member("d/", kind=tarfile.DIRTYPE) for _ in range(100)]) + END

    assert [(entry.path, entry.type) for entry in index(raw)] == [("d", EntryType.DIR)]


def test_two_hundred_thousand_entries_take_seconds() -> None:
    block = raw_header(b"dir000/sub/file000000.txt", size=b"00000000000")
    count = 200_000
    indexer = TarIndexer(Limits(), "blob")
    began = time.process_time()
    for n in range(count):
        header = bytearray(block)
        name = b"dir%03d/sub/file%06d.txt" % (n % 500, n)
        header[: len(name)] = name
        header[148:156] = b" " * 8
        header[148:155] = b"%06o\0" % sum(header)
        indexer.feed(header)
    indexer.feed(END)

    assert len(indexer.finish()) == count + 1000
    assert time.process_time() - began < 15
