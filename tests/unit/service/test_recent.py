"""Manifests used last are remembered, each for its own project, and no more entries than there is room for."""

from __future__ import annotations

from service.recent import RecentManifests
from shipway.models.context import FILE, Entry, Manifest


def manifest(name: str, entries: int) -> Manifest:
    return Manifest(Entry(f"{name}{number}", FILE, 0o644) for number in range(entries))


def test_a_project_finds_its_own() -> None:
    recent, made = RecentManifests(), manifest("a", 3)
    recent.put("one", made)

    assert recent.get("one", made.digest) is made
    assert recent.get("two", made.digest) is None
    assert recent.get("one", manifest("b", 3).digest) is None


def test_the_longest_unused_goes_first() -> None:
    recent, a, b, c = RecentManifests(entries=10), manifest("a", 4), manifest("b", 4), manifest("c", 4)
    recent.put("p", a)
    recent.put("p", b)
    recent.put("p", b)  # counts once
    recent.get("p", a.digest)
    recent.put("p", c)

    assert [recent.get("p", each.digest) for each in (a, b, c)] == [a, None, c]


def test_what_is_larger_than_all_room_is_not_remembered_and_takes_none() -> None:
    recent, small, large = RecentManifests(entries=10), manifest("a", 9), manifest("b", 11)
    recent.put("p", large)
    recent.put("p", small)

    assert recent.get("p", large.digest) is None
    assert recent.get("p", small.digest) is small
