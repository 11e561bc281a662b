"""What a service believes of a listing of entries."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.context.contents import EMPTY, PART
from shipway.context.limits import Limits
from shipway.context.listing import ALONE, ListingReader
from shipway.context.packs import Member, Pack
from shipway.exceptions import ShipwayError
from shipway.models.context import Entry, EntryType, Manifest, read_summary

A, B = (hashlib.sha256(letter).hexdigest() for letter in (b"a", b"b"))
LIMITS = Limits(max_entries=50, max_bytes=100 * 2**20)


def entry(path: str = "f", kind: str = "file", size: int = 1, parts: Any = (A,), **more: Any) -> list[Any]:
    """A line about a file of one byte, or what is different of it."""
    fields = {"mode": 0o644, "mtime": 5, "link": "", "pack": 0} | more
    return [path, kind, fields["mode"], size, fields["mtime"], fields["link"], parts, fields["pack"]]


def read(*lines: Any, step: int = 10**6, base: Manifest | None = None) -> Manifest:
    return read_raw(b"".join(json.dumps(line).encode() + b"\n" for line in lines), step, base)


def read_raw(raw: bytes, step: int = 10**6, base: Manifest | None = None) -> Manifest:
    reader = ListingReader(LIMITS, base)
    for at in range(0, len(raw), step):
        reader.feed(raw[at : at + step])
    return reader.finish()


@pytest.mark.parametrize("step", [1, 13, 10**6])
def test_contents_lie_behind_each_other_in_their_packs(step: int) -> None:
    both = Pack((Member(1, bytes.fromhex(A)), Member(2, bytes.fromhex(B))))

    manifest = read(entry("x/f"), entry("x/g", size=2, parts=[B]), entry("x/h"), step=step)

    places = {e.path: (e.blob, e.offset) for e in manifest if e.size}
    assert places == {"x/f": (both.name, 0), "x/g": (both.name, 1), "x/h": (both.name, 0)}
    assert [e.path for e in manifest] == ["x", "x/f", "x/g", "x/h"]
    assert manifest.summary == (4, 4, (both.name,))


def test_a_large_file_lies_in_its_parts() -> None:
    manifest = read(entry(size=PART + 7, parts=[A, B], pack=ALONE))

    (only,) = manifest
    assert only.parts == tuple(
        Pack((Member(*part),)).name for part in ((PART, bytes.fromhex(A)), (7, bytes.fromhex(B)))
    )
    assert Manifest.from_bytes(manifest.to_bytes()).get("f") == only
    assert json.loads(manifest.to_bytes().split(b"\n")[0])["version"] == 2


def test_what_is_not_told_stays_as_it_was() -> None:
    base = read(entry("d/f"), entry("d/g", size=2, parts=[B]), entry("e/f", pack=1), entry("h", size=0, parts=[]))

    changed = read(["d"], entry("e/g", size=2, parts=[B], pack=7), ["nowhere"], ["h"], base=base)

    assert [e.path for e in changed] == ["e", "e/f", "e/g"]
    assert changed.get("e/f") == base.get("e/f")
    assert changed.get("e/g").blob == Pack((Member(2, bytes.fromhex(B)),)).name  # type: ignore[union-attr]


def test_file_in_the_place_of_a_directory_replaces_all_of_it() -> None:
    base = read(entry("d/f"), entry("d/e/g"))

    assert [e.path for e in read(entry("d"), base=base)] == ["d"]
    assert [e.path for e in read(["d"], entry("d/f"), base=base)] == ["d", "d/f"]


def test_what_goes_and_comes_is_there_once() -> None:
    base = read(*(entry(f"d/{n}") for n in range(20)))

    assert list(read(*([f"d/{n}"] for n in range(20)), entry("d/1"), base=base)) == list(read(entry("d/1")))


@pytest.mark.parametrize(
    ("lines", "slug"),
    [
        ([["f"]], "listing-invalid"),
        ([[]], "listing-invalid"),
        ([[7]], "listing-invalid"),
        ([["../f"]], "context-path-escapes"),
        ([[f"f{n}"] for n in range(51)], "context-too-many-entries"),
        ([entry(f"g{n}") for n in range(45)], "context-too-many-entries"),
        ([entry("g", size=PART * 12, parts=[A] * 12, pack=ALONE)], "context-too-large"),
    ],
)
def test_changes_that_can_not_be_are_refused(lines: list[Any], slug: str) -> None:
    base = read(*(entry(f"f{n}") for n in range(10)), entry("l", size=PART, parts=[A], pack=ALONE))
    if lines == [["f"]]:
        base = None  # type: ignore[assignment]

    with pytest.raises(ShipwayError) as refused:
        read(*lines, base=base)

    assert refused.value.slug == slug


def test_changes_may_replace_all_that_a_context_may_have() -> None:
    base = read(*(entry(f"f{n}") for n in range(45)))

    assert len(read(*(entry(f"f{n}", size=2, parts=[B]) for n in range(45)), base=base)) == 45


def test_an_empty_file_lies_nowhere() -> None:
    (only,) = read(entry(size=0, parts=[]))

    assert (only.digest, only.blobs) == (EMPTY, ())


def test_a_manifest_is_what_it_was_when_it_is_read_again() -> None:
    manifest = read(entry("a/f"), entry("l", "symlink", 0, [], link="a"), entry("d", "dir", 0, [], mode=0o755))

    again = Manifest.from_bytes(manifest.to_bytes())

    assert list(again) == list(manifest)
    assert read_summary(manifest.to_bytes()[:5000]) == manifest.summary
    assert read_summary(manifest.to_bytes()[:20]) is None
    assert list(Manifest.from_bytes(Manifest([]).to_bytes())) == []


REFUSED: dict[str, tuple[list[Any], str]] = {
    "no array": ([{"path": "f"}], "listing-invalid"),
    "a field less": ([entry()[:-1]], "listing-invalid"),
    "a parent path": ([entry("../f")], "context-path-escapes"),
    "an absolute path": ([entry("/f")], "context-path-escapes"),
    "no path": ([entry(".")], "listing-invalid"),
    "a path of numbers": ([entry(5)], "listing-invalid"),  # type: ignore[arg-type]
    "a lone surrogate": ([entry("\ud800")], "context-name-encoding"),
    "a NUL": ([entry("a\0b")], "context-name-encoding"),
    "a long name": ([entry("n" * 300)], "context-path-too-long"),
    "a long path": ([entry("d/" * 3000)], "context-path-too-long"),
    "a long link": ([entry("l", "symlink", 0, [], link="x" * 5000)], "context-path-too-long"),
    "a path through a link": ([entry("l", "symlink", 0, [], link="/etc"), entry("l/f")], "context-path-through-link"),
    "a path through a file": ([entry("f"), entry("f/g")], "context-path-through-link"),
    "a device": ([entry("f", "device", 0, [])], "listing-invalid"),
    "a directory with a content": ([entry("d", "dir")], "listing-invalid"),
    "a link without a target": ([entry("l", "symlink", 0, [])], "listing-invalid"),
    "a file with a target": ([entry(link="x")], "listing-invalid"),
    "a mode of another type": ([entry(mode=0o100644)], "listing-invalid"),
    "a truth for a number": ([entry(size=True)], "listing-invalid"),
    "a fraction of a byte": ([entry(size=1.0)], "listing-invalid"),  # type: ignore[arg-type]
    "a negative size": ([entry(size=-1, parts=[])], "listing-invalid"),
    "a size of another universe": ([entry(size=10**40)], "context-too-large"),
    "a time beyond 64 bits": ([entry(mtime=2**63)], "listing-invalid"),
    "a negative pack": ([entry(pack=-2)], "listing-invalid"),
    "too few parts": ([entry(size=PART + 1)], "listing-invalid"),
    "too many parts": ([entry(parts=[A, B])], "listing-invalid"),
    "a digest that is none": ([entry(parts=["A" * 64])], "listing-invalid"),
    "a text for digests": ([entry(parts="a")], "listing-invalid"),
    "too many entries": ([entry(f"f{n}") for n in range(51)], "context-too-many-entries"),
    "one content a hundred times": (
        [entry(f"f{n}", size=PART, parts=[A], pack=ALONE) for n in range(20)],
        "context-too-large",
    ),
    "a pack that is none": (
        [entry(f"f{n}", size=PART // 2, parts=[f"{n:064x}"]) for n in range(3)],
        "listing-invalid",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_hostile_listing_is_refused(what: str) -> None:
    lines, slug = REFUSED[what]

    with pytest.raises(ShipwayError) as raised:
        read(*lines)

    assert raised.value.slug == slug


@pytest.mark.parametrize(
    ("raw", "slug"),
    [
        (b"[", "context-truncated"),
        (b"[\n", "listing-invalid"),
        (b"[" * 100_000 + b"\n", "listing-invalid"),
        (b"\n", "listing-invalid"),
        (b"x" * (5 * 2**20), "listing-invalid"),
        (b"\xff\xfe\n", "listing-invalid"),
        (b"1" * 10_000 + b"\n", "listing-invalid"),
    ],
)
def test_what_is_no_listing_is_refused(raw: bytes, slug: str) -> None:
    with pytest.raises(ShipwayError) as raised:
        read_raw(raw)

    assert raised.value.slug == slug


@given(st.text(min_size=1), st.text(), st.integers(0, 0o7777), st.integers(0, 2**62), st.integers(-(2**62), 2**62))
def test_lines_are_those_that_json_dumps_makes(path: str, link: str, mode: int, size: int, mtime: int) -> None:
    odd = Entry(path, EntryType.SYMLINK, mode, size, mtime, link, "sha256:0", "b", 7, ("c", "d"))
    manifest = Manifest([odd])

    named = json.dumps([path, "symlink", mode, size, link, "sha256:0"])
    own = [line for line in manifest.to_bytes().decode().split("\n")[1:] if json.loads(line)[0] == path]

    assert own == [json.dumps(odd)]
    assert manifest.get(path) == odd
    if "/" not in path:
        assert manifest.digest == "sha256:" + hashlib.sha256(f"{named}\n".encode()).hexdigest()
