"""What a client remembers of a directory, and when it must not believe that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shipway.client import hashing, packing, statcache
from shipway.client.hashing import Hashed, Room, hash_files
from shipway.client.packing import Packing
from shipway.client.snapshot import Snapshot
from shipway.context.contents import PART
from shipway.context.packreader import PackReader
from shipway.context.walk import LocalFile
from shipway.exceptions import ContextError
from tests.unit.client.stand_in import wait_until
from tests.unit.client.trees import EDITS, PAST, by_tar, digest, listed, rewritten, tree


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything that is written now count as long ago."""
    monkeypatch.setattr(statcache, "RACY", -(10**12))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The paths of the files that were read since it was asked last."""
    paths: list[str] = []

    def counted(files: Iterator[LocalFile], room: Room) -> Iterator[Hashed]:
        taken = list(files)
        paths.extend(file.path for file in taken)
        return hash_files(taken, room)

    monkeypatch.setattr("shipway.client.snapshot.hash_files", counted)

    def since() -> list[str]:
        taken, paths[:] = list(paths), []
        return taken

    return since


def of_files(cache: Path) -> Path:
    """The one file in which is remembered what files were like."""
    (path,) = (path for path in (cache / "shipway" / "contexts").iterdir() if not path.suffix)
    return path


def test_both_ways_come_to_the_same_context(root: Path) -> None:
    (root / "large").write_bytes(os.urandom(PART + 5) + b"file 3\n" * 100)
    snapshot, packs = Snapshot(tree(root)), PackReader()

    manifest = listed(snapshot.lines)
    wire = b"".join(snapshot.packing.wire(iter(snapshot.packing.packs), lambda _: None))
    sent = {pack.name: bytes(content) for pack, content in packs.feed(wire)}

    assert manifest.digest == snapshot.digest == by_tar(root).digest
    assert {e.path: e.mtime_ns for e in manifest} == {e.path: e.mtime_ns for e in by_tar(root)}
    assert set(manifest.summary.blobs) == set(sent) == set(snapshot.packing.packs)
    for entry in manifest:
        if entry.size:
            blobs = b"".join(sent[blob] for blob in entry.blobs)
            assert blobs[entry.offset : entry.offset + entry.size] == (root / entry.path).read_bytes()


@pytest.mark.usefixtures("settled")
def test_only_what_has_changed_is_read(root: Path, read: Callable[[], list[str]]) -> None:
    digest(root)
    assert len(read()) == 6

    digest(root)
    assert read() == []

    (root / "src" / "f1").write_text("changed\n")
    assert digest(root) == by_tar(root).digest
    assert read() == ["src/f1"]


def test_what_was_written_a_moment_ago_is_read_again(root: Path, read: Callable[[], list[str]]) -> None:
    """Another change within the same tick of the clock would leave its times, its size and its inode as they are."""
    old = root / "src" / "f1"
    before = PAST
    os.utime(old, ns=(before, before))
    digest(root)
    read()

    digest(root)

    # All were made just now: of none is it certain that it will show the next change. Times that were set count as
    # little, for the time of the last change of the inode is of now.
    assert len(read()) == 6


def _wait_for_another_time(path: Path) -> None:
    """Until a change would get another time than a file has: clocks of file systems tick every few milliseconds."""
    probe = path.with_name("probe")

    def later() -> bool:
        probe.touch()
        return probe.stat().st_ctime_ns > path.stat().st_ctime_ns

    wait_until(later)
    probe.unlink()


@pytest.mark.parametrize("racy", [False, True])
@pytest.mark.parametrize("edit", EDITS)
def test_no_edit_goes_unseen(edit: str, racy: bool, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each edit comes at once behind the reading of the file: in the racy window, or as if long after it."""
    if not racy:
        monkeypatch.setattr(statcache, "RACY", 0)
    digest(root)
    _wait_for_another_time(root / "src" / "f1")
    digest(root)

    EDITS[edit](root / "src" / "f1")

    assert digest(root) == by_tar(root).digest


def test_an_edit_that_leaves_no_trace_is_seen_in_the_racy_window(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system with times of whole seconds two changes may have the same: here all times are equal."""
    for module in (statcache, hashing, packing):
        monkeypatch.setattr(module, "line_of", lambda path, status: f"{status.st_size} {status.st_ino} {path}")
    digest(root)

    (root / "src" / "f1").write_bytes((root / "src" / "f1").read_bytes()[::-1])

    assert digest(root) == by_tar(root).digest


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", ["emptied", "cut", "a bit", "another version", "another directory's", "a directory"])
def test_a_cache_that_is_not_right_is_no_cache(
    damage: str, root: Path, cache: Path, read: Callable[[], list[str]], tmp_path: Path
) -> None:
    right = digest(root)
    path = of_files(cache)
    raw = path.read_bytes()
    if damage == "a directory":
        path.unlink()
        path.mkdir()
    elif damage == "another directory's":
        shutil.copytree(root, tmp_path / "other")
        (tmp_path / "other" / "src" / "f1").write_text("other")
        path.unlink()
        digest(tmp_path / "other")
        of_files(cache).rename(path)
    else:
        at = raw.index(b"src/f1") + 90
        path.write_bytes(
            {
                "emptied": b"",
                "cut": raw[:-10],
                "a bit": raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :],
                "another version": raw.replace(b"\n3 ", b"\n4 "),
            }[damage]
        )
    read()

    assert digest(root) == right
    assert len(read()) == 6


@pytest.mark.usefixtures("settled")
def test_a_cache_that_cannot_be_written_is_no_error(root: Path, cache: Path) -> None:
    cache.write_text("in the way")

    assert digest(root) == digest(root) == by_tar(root).digest


@pytest.mark.usefixtures("settled")
def test_what_is_gone_is_forgotten(root: Path, cache: Path) -> None:
    digest(root)
    (root / "src" / "f1").unlink()
    digest(root)

    path = of_files(cache)
    assert b"src/f1" not in path.read_bytes()
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_what_is_kept_is_sent_as_it_was_read(root: Path) -> None:
    (root / "large").write_bytes(os.urandom(PART))
    snapshot, packs = Snapshot(tree(root)), PackReader()
    before = (root / "src" / "f1").read_bytes()
    rewritten(root / "src" / "f1", in_place=True)
    (root / "empty").unlink()

    wire = b"".join(snapshot.packing.wire(iter(snapshot.packing.packs), lambda _: None))

    assert any(before in bytes(content) for _, content in packs.feed(wire))


@pytest.mark.parametrize("sent", [True, False])
def test_what_was_sent_or_needs_not_be_makes_room(root: Path, sent: bool) -> None:
    """Of equal contents one is kept: `again` is as `src/f3`."""
    packing = Packing(kept=6 * 700)
    Snapshot(tree(root), packing=packing)
    assert packing.room.take(700)
    assert not packing.room.take(1)

    if sent:
        b"".join(packing.wire(iter(packing.packs), lambda _: None))
    else:
        packing.let_go(packing.packs)

    assert packing.room.take(5 * 700)
    assert b"".join(packing.wire(iter(packing.packs), lambda _: None))  # the files are read again


def test_a_file_that_changes_before_it_is_sent_is_told(root: Path) -> None:
    snapshot = Snapshot(tree(root), packing=Packing(kept=0))
    rewritten(root / "src" / "f1", in_place=True)

    with pytest.raises(ContextError) as raised:
        list(snapshot.packing.wire(iter(snapshot.packing.packs), lambda _: None))

    assert raised.value.slug == "context-file-changed"


@pytest.mark.parametrize("becomes", ["a FIFO", "a link", "nothing", "unreadable"])
def test_a_file_that_is_none_any_more_is_told(becomes: str, root: Path) -> None:
    seen, path = tree(root), root / "src" / "f1"
    path.unlink()
    if becomes == "a FIFO":
        os.mkfifo(path)
    elif becomes == "a link":
        path.symlink_to("f2")
    elif becomes == "unreadable":
        path.mkdir()

    with pytest.raises(ContextError) as raised:
        Snapshot(seen)

    assert raised.value.slug in {"context-file-changed", "context-unreadable"}


def test_what_compresses_is_sent_compressed(root: Path) -> None:
    (root / "text").write_text("the same line\n" * 100_000)
    (root / "noise").write_bytes(os.urandom(700_000))
    snapshot = Snapshot(tree(root))
    spared: list[int] = []

    sent = b"".join(snapshot.packing.wire(iter(snapshot.packing.packs), spared.append))

    assert 700_000 < len(sent) < 750_000
    assert sum(spared) == snapshot.size - (
        len(sent) - sum(8 + 36 * len(p.members) for p in snapshot.packing.packs.values())
    )


def recalled(root: Path) -> str | None:
    looked_at = tree(root)
    known = looked_at.cache.recall(looked_at.state)
    return known[0] if known else None


def _link_elsewhere(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("src/f2")


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "src/f1").write_text("FILE 1\n" * 100),
        lambda root: (root / "src/f1").chmod(0o600),
        lambda root: (root / "src").chmod(0o700),
        lambda root: (root / "empty").chmod(0o600),
        lambda root: (root / "new").touch(),
        lambda root: (root / "empty").unlink(),
        lambda root: (root / "empty").rename(root / "void"),
        lambda root: (root / "src/new").mkdir(),
        _link_elsewhere,
    ],
)
def test_directory_as_a_whole_is_recalled_until_anything_changes(root: Path, change: Callable[[Path], object]) -> None:
    assert recalled(root) is None
    before = digest(root)
    assert recalled(root) == before

    change(root)

    assert recalled(root) is None
    after = digest(root)
    assert recalled(root) == after == by_tar(root).digest != before


def test_directory_that_may_have_changed_while_it_was_read_is_not_recalled(root: Path) -> None:
    digest(root)

    assert recalled(root) is None


@pytest.mark.usefixtures("settled")
def test_damaged_memory_of_a_directory_recalls_nothing(root: Path, cache: Path) -> None:
    digest(root)
    [whole] = cache.rglob("*.whole")
    for content in (b"", b"\xff", b"a b", whole.read_bytes()[1:]):
        whole.write_bytes(content)
        assert recalled(root) is None
