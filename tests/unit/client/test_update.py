"""What a few changed files make of the context before is what a look at all files makes of them."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipway.client import statcache
from shipway.client.packing import Packing
from shipway.client.snapshot import Snapshot
from shipway.client.update import MOST, Update, updated
from shipway.context.packreader import PackReader
from shipway.models.context import Manifest
from tests.support.mutations import ROUNDS, mutate
from tests.unit.client.trees import EDITS, listed, tree

SOON = 50_000_000
"""Nanoseconds that stand for the two seconds in which a change may go unseen."""
MANY = 120


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statcache, "RACY", SOON)


def _settle() -> None:
    time.sleep(2 * SOON / 1e9)


@pytest.fixture
def sent(root: Path) -> tuple[Path, Manifest]:
    """A directory of many small files in several packs, and its context, which is remembered as sent."""
    return root, _sent(root)


def _sent(root: Path) -> Manifest:
    chance = random.Random(3)
    for number in range(MANY):
        (root / "src" / f"more{number:03}").write_bytes(chance.randbytes(chance.randint(1, 60_000)))
    _settle()
    snapshot = Snapshot(tree(root))
    snapshot.remember_sent()
    return listed(snapshot.lines)


def _checked(root: Path, base: Manifest) -> Update | None:
    """What has changed, if it is told easily; by a look at everything it comes to the same."""
    packing = Packing()
    update, snapshot = updated(tree(root), packing), Snapshot(tree(root))
    if update is None:
        return None
    assert (update.digest, update.size, update.lines) == (snapshot.digest, snapshot.size, snapshot.lines)
    changes = update.changes()
    assert changes.base == base.digest
    assert list(listed(changes.lines, base)) == list(listed(snapshot.lines))
    assert set(snapshot.packing.packs) <= {*base.summary.blobs, *update.new}
    reader = PackReader()
    assert [
        pack.name for chunk in packing.wire(update.new, lambda _: None) for pack, _ in reader.feed(chunk)
    ] == update.new
    reader.finish()
    return update


def _rewrite(path: Path, size: int | None = None) -> None:
    """Write other bytes, the same each time: where packs end must not be a matter of luck."""
    path.write_bytes(random.Random(path.name).randbytes(size or path.stat().st_size))


def _grow(*paths: Path) -> None:
    for path in paths:
        _rewrite(path, 400_000)


FEW: dict[str, Callable[[Path], object]] = {
    "other bytes": lambda root: _rewrite(root / "src" / "more017"),
    "more bytes, so that borders move": lambda root: _grow(root / "src" / "more017"),
    "fewer bytes": lambda root: (root / "src" / "more017").write_bytes(b"x"),
    "the first file": lambda root: _rewrite(root / "src" / "f0"),
    "the last file": lambda root: _rewrite(root / "src" / "more119"),
    "touched": lambda root: os.utime(root / "src" / "more017", ns=(1, 10**18)),
    "mode of a file": lambda root: (root / "src" / "more017").chmod(0o755),
    "mode of a directory": lambda root: (root / "src").chmod(0o700),
    "time of an empty file": lambda root: os.utime(root / "empty", ns=(1, 10**18)),
    "several, far from each other": lambda root: _grow(*(root / "src" / f"more{n:03}" for n in (3, 4, 60, 119))),
}


@pytest.mark.parametrize("what", FEW)
def test_few_changed_files_are_told_without_a_look_at_all(what: str, sent: tuple[Path, Manifest]) -> None:
    root, base = sent

    FEW[what](root)

    assert _checked(root, base) is not None


def test_one_changed_file_sends_its_pack(sent: tuple[Path, Manifest]) -> None:
    root, base = sent

    _rewrite(root / "src" / "more017")

    update = _checked(root, base)
    assert update is not None
    assert len(update.new) <= 2  # a border may go or come
    assert len(update.changes().lines) < MANY / 2


@pytest.mark.parametrize("edit", EDITS)
def test_any_edit_comes_to_the_same_by_either_look(edit: str, sent: tuple[Path, Manifest]) -> None:
    root, base = sent

    EDITS[edit](root / "src" / "f1")

    _checked(root, base)


def test_nothing_much_or_nothing_known_asks_for_a_look_at_all(root: Path) -> None:
    assert updated(tree(root), Packing()) is None
    _sent(root)
    assert updated(tree(root), Packing()) is None
    for number in range(MOST + 1):
        _rewrite(root / "src" / f"more{number:03}")
    assert updated(tree(root), Packing()) is None


def test_content_that_is_there_twice_asks_for_a_look_at_all(sent: tuple[Path, Manifest]) -> None:
    root, _ = sent

    (root / "src" / "more017").write_bytes((root / "src" / "more050").read_bytes())

    assert updated(tree(root), Packing()) is None


def test_file_read_too_soon_after_a_change_is_read_again(
    sent: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, base = sent
    monkeypatch.setattr(statcache, "RACY", 3600 * 10**9)  # however long this machine takes
    _rewrite(root / "src" / "more017")
    update = _checked(root, base)
    assert update is not None
    update.remember_sent()

    again = _checked(root, listed(update.lines))

    assert again is not None
    assert again.digest == update.digest
    assert again.new == []
    monkeypatch.setattr(statcache, "RACY", SOON)
    _settle()
    settled = _checked(root, listed(update.lines))
    assert settled is not None
    settled.remember_sent()
    assert updated(tree(root), Packing()) is None
    assert tree(root).cache.recall(tree(root).state) == (update.digest, update.size)


CHANGES = st.lists(st.tuples(st.integers(0, MANY - 1), st.integers(1, 200_000), st.integers(0, 3)), max_size=8)


@pytest.mark.usefixtures("cache")
@settings(max_examples=int(os.environ.get("MUTATIONS", "10")), deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=4), ROUNDS)
def test_whatever_has_changed_comes_to_the_same_by_either_look(
    tmp_path_factory: pytest.TempPathFactory,
    rounds: list[list[tuple[int, int, int]]],
    mutations: list[list[tuple[Any, ...]]],
) -> None:
    root = tmp_path_factory.mktemp("updated")
    (root / "src").mkdir()
    base = _sent(root)
    for changes in rounds:
        for number, size, seed in changes:
            (root / "src" / f"more{number:03}").write_bytes(random.Random(seed).randbytes(size))
        base = _remembered(root, base)
    for edits in mutations:
        for what in edits:
            mutate(root, what)
        base = _remembered(root, base)


def _remembered(root: Path, base: Manifest) -> Manifest:
    looked = _checked(root, base) or Snapshot(tree(root))
    looked.remember_sent()
    return listed(looked.lines)
