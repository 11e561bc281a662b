"""What has changed since a listing was sent is told of, and comes to the same context."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from shipway.client.snapshot import Snapshot
from shipway.models.context import Manifest
from tests.support.mutations import ROUNDS, mutate
from tests.unit.client.trees import EDITS, listed, tree


def _with_more(root: Path) -> Manifest:
    """Fill a tree so that no edit changes most of it; returns what is there, which is remembered."""
    chance = random.Random(3)  # the same packs each time: how many are touched must not be a matter of luck
    for number in range(200):
        (root / "src" / f"more{number}").write_bytes(chance.randbytes(80_000))
    snapshot = Snapshot(tree(root))
    snapshot.remember_sent()
    return listed(snapshot.lines)


def _told(root: Path, base: Manifest) -> tuple[Manifest, int]:
    """The context that a base and what has changed since come to, and how many lines told of that."""
    snapshot = Snapshot(tree(root))
    changes = snapshot.changes()
    assert changes is not None
    assert changes.base == base.digest
    manifest = listed(changes.lines, base)
    assert manifest.digest == snapshot.digest
    assert list(manifest) == list(listed(snapshot.lines))
    return manifest, len(changes.lines)


@pytest.mark.parametrize("edit", EDITS)
def test_what_has_changed_makes_the_same_of_the_context_before(edit: str, root: Path) -> None:
    base = _with_more(root)

    EDITS[edit](root / "src" / "f1")

    assert 0 < _told(root, base)[1] < 50


@pytest.mark.usefixtures("cache")
@settings(max_examples=int(os.environ.get("MUTATIONS", "20")), deadline=None)
@given(ROUNDS)
def test_whatever_has_changed_makes_the_same_of_the_context_before(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[list[tuple[Any, ...]]]
) -> None:
    root = tmp_path_factory.mktemp("mutated")
    (root / "src").mkdir()
    base = _with_more(root)
    for edits in rounds:
        for what in edits:
            mutate(root, what)

        manifest, _ = _told(root, base)

        Snapshot(tree(root)).remember_sent()
        base = manifest


def test_nothing_changed_is_told_by_nothing(root: Path) -> None:
    base = _with_more(root)

    assert _told(root, base)[1] == 0


def test_other_tree_is_told_whole(root: Path) -> None:
    _with_more(root)
    shutil.rmtree(root / "src")

    assert Snapshot(tree(root)).changes() is None


def test_damaged_memory_of_a_listing_is_none(root: Path, cache: Path) -> None:
    _with_more(root)
    (path,) = (cache / "shipway" / "contexts").glob("*.sent")
    path.write_bytes(path.read_bytes()[:-1])

    assert Snapshot(tree(root)).changes() is None
