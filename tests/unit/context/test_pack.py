"""Packing: what goes in comes out of the indexer, and out of GNU tar."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipway.context.limits import MIB
from shipway.context.pack import tar_of_directory, tar_of_source
from shipway.context.source import ContextSource
from shipway.context.walk import LocalFile, walk
from shipway.exceptions import BuildSystemError, ContextError
from shipway.models.context import Entry, EntryType, Manifest
from tests.unit.context.archives import index

names = st.text("ab.-é", min_size=1, max_size=70).filter(lambda name: name not in (".", ".."))
contents = st.one_of(st.binary(max_size=2000), st.integers(0, 700_000).map(bytes))
nodes = st.one_of(
    st.tuples(st.just("file"), contents, st.sampled_from([0o644, 0o4755, 0o600]), st.integers(0, 2**61)),
    st.tuples(st.just("link"), st.text("ab/.é", min_size=1, max_size=200)),
)
trees = st.recursive(nodes, lambda children: st.dictionaries(names, children, max_size=4), max_leaves=12)


def build(place: Path, node: object) -> None:
    match node:
        case ("file", bytes(content), int(mode), int(mtime)):
            place.write_bytes(content)
            place.chmod(mode)
            os.utime(place, ns=(mtime, mtime))
        case ("link", str(target)):
            place.symlink_to(target)
        case dict():
            place.mkdir()
            for name, child in node.items():
                build(place / name, child)


def described(file: LocalFile) -> tuple[object, ...]:
    content = Path(file.source).read_bytes() if file.type is EntryType.FILE else b""
    return file.path, file.type, file.mode, file.stat.st_mtime_ns, file.link, content


@given(st.dictionaries(names, trees, max_size=4))
@settings(max_examples=80)
def test_index_of_a_packed_directory_is_the_directory(tree: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        build(root, tree)
        files = list(walk(root, []))
        chunks = list(tar_of_directory(files))
        expected = [described(file) for file in files]
    raw = b"".join(chunks)

    assert all(0 < len(chunk) <= 2 * MIB for chunk in chunks)
    assert expected == [
        (e.path, e.type, e.mode, e.mtime_ns, e.link, raw[e.offset : e.offset + e.size]) for e in index(raw)
    ]


def test_gnu_tar_unpacks_the_same_directory(tmp_path: Path) -> None:
    root = tmp_path / "root"
    long = "d" * 200 + "/" + "é" * 100
    (root / long).mkdir(parents=True)
    (root / long / "file").write_bytes(os.urandom(300_000))
    (root / "tool").write_text("x")
    (root / "tool").chmod(0o755)
    (root / "link").symlink_to("t" * 300)
    (root / "hard").hardlink_to(root / "tool")
    (root / "old").write_text("")
    os.utime(root / "old", ns=(-1_500_000_000, -1_500_000_000))
    raw = b"".join(tar_of_directory(walk(root, [])))

    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-x", "-C", out], input=raw, check=True)

    assert subprocess.run(["diff", "-r", "--no-dereference", root, out], check=False).returncode == 0
    assert [described(a)[:5] for a in walk(root, []) if a.type is EntryType.FILE] == [
        described(b)[:5] for b in walk(out, []) if b.type is EntryType.FILE
    ]
    assert (out / "hard").stat().st_nlink == 1


def test_owners_are_root(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    raw = b"".join(tar_of_directory(walk(tmp_path, [])))

    listed = subprocess.run(["tar", "-tv", "--numeric-owner"], input=raw, check=True, capture_output=True)

    assert b" 0/0 " in listed.stdout


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def to_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("change", [grow, lambda path: os.truncate(path, 10), Path.unlink])
def test_file_that_changes_meanwhile_is_an_error(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * MIB))
    files = list(walk(tmp_path, []))
    change(path)

    with pytest.raises(ContextError) as caught:
        list(tar_of_directory(files))

    assert caught.value.slug == "context-file-changed"


def test_file_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(Path("/etc/passwd").read_bytes())
    files = list(walk(tmp_path, []))
    to_link(path)

    with pytest.raises(ContextError) as caught:
        list(tar_of_directory(files))

    assert caught.value.slug in ("context-file-changed", "context-unreadable")


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.write_text("x")
    files = list(walk(tmp_path, []))
    # Root may read anything but a directory: it stands for what can't be read.
    path.unlink()
    path.mkdir()

    with pytest.raises(ContextError) as caught:
        list(tar_of_directory(files))

    assert caught.value.slug == "context-unreadable"
    assert "folder" in caught.value.message


def stored(raw: bytes) -> ContextSource:
    async def read(entry: Entry) -> AsyncIterator[bytes]:
        for at in range(entry.offset, entry.offset + entry.size, 100_000):
            yield raw[at : min(at + 100_000, entry.offset + entry.size)]

    return ContextSource(index(raw), read)


async def collected(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def test_tar_of_a_stored_context_is_the_same_context(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/big").write_bytes(os.urandom(MIB))
    (tmp_path / "link").symlink_to("dir")
    source = stored(b"".join(tar_of_directory(walk(tmp_path, []))))

    again = index(asyncio.run(collected(tar_of_source(source))))

    assert again.digest == source.manifest.digest
    assert [entry.mtime_ns for entry in again] == [entry.mtime_ns for entry in source.manifest]


def test_tar_may_hold_chosen_entries_only(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    source = stored(b"".join(tar_of_directory(walk(tmp_path, []))))
    chosen = [entry for entry in source.manifest if entry.path == "b"]

    assert [entry.path for entry in index(asyncio.run(collected(tar_of_source(source, chosen))))] == ["b"]


@pytest.mark.parametrize("given_bytes", [b"", b"123", b"12345"])
def test_blob_that_gives_too_little_or_too_much_is_an_error(given_bytes: bytes) -> None:
    async def read(_entry: Entry) -> AsyncIterator[bytes]:
        if given_bytes:
            yield given_bytes

    source = ContextSource(Manifest([Entry("a", EntryType.FILE, 0o644, 4, blob="b")]), read)

    with pytest.raises(BuildSystemError) as caught:
        asyncio.run(collected(tar_of_source(source)))

    assert caught.value.slug == "context-blob-damaged"


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_indexer_reads_every_format_gnu_tar_writes(tmp_path: Path, form: str) -> None:
    root = tmp_path / "root"
    (root / "dir").mkdir(parents=True)
    (root / "dir/file").write_bytes(b"content" * 1000)
    (root / "dir/hard").hardlink_to(root / "dir/file")
    (root / "link").symlink_to("dir/file")
    made = subprocess.run(["tar", "-c", f"--format={form}", "-C", root, "."], check=True, capture_output=True)

    manifest = index(made.stdout)

    assert manifest.digest == index(b"".join(tar_of_directory(walk(root, [])))).digest


def test_sparse_file_packed_by_gnu_tar_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(10 * MIB)
    for form in ("gnu", "posix"):
        made = subprocess.run(
            ["tar", "-c", "--sparse", f"--format={form}", "-C", tmp_path, "."], check=True, capture_output=True
        )

        with pytest.raises(ContextError) as caught:
            index(made.stdout)

        assert caught.value.slug == "context-sparse"
