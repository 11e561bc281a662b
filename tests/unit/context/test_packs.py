"""How contents are dealt into packs, and what a reader of packs believes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence

import pytest
import zstandard

from shipway.context.contents import PART, ContentHash, content_digest
from shipway.context.packreader import PackReader
from shipway.context.packs import MAX_PACK, PLAIN, ZSTD, Dealer, Member, Pack, header_of
from shipway.exceptions import ShipwayError

CHANCE = random.Random(5)
SMALL_FILES = [Member(CHANCE.randint(1, 40_000), CHANCE.randbytes(32)) for _ in range(10_000)]


def pack_of(*contents: bytes) -> Pack:
    return Pack(tuple(Member(len(content), hashlib.sha256(content).digest()) for content in contents))


def wire(*contents: bytes, packed: bool = False) -> bytes:
    body = b"".join(contents)
    sent = zstandard.compress(body) if packed else body
    return header_of(pack_of(*contents), ZSTD if packed else PLAIN, len(sent)) + sent


def read(raw: bytes, step: int = 2**20) -> list[tuple[Pack, bytes]]:
    reader = PackReader()
    found = [
        (pack, bytes(content)) for at in range(0, len(raw), step) for pack, content in reader.feed(raw[at : at + step])
    ]
    reader.finish()
    return found


def deal(contents: Sequence[Member]) -> list[Pack]:
    dealer = Dealer()
    return [pack for content in contents for pack in dealer.put(content)] + dealer.end()


def bytes_to_send(before: Sequence[Member], after: Sequence[Member]) -> int:
    there = {pack.name for pack in deal(before)}
    return sum(pack.size for pack in deal(after) if pack.name not in there)


def test_packs_are_neither_small_nor_large_and_lose_nothing() -> None:
    packs = deal(SMALL_FILES)

    assert [member for pack in packs for member in pack.members] == SMALL_FILES
    assert max(pack.size for pack in packs) <= MAX_PACK
    assert sum(pack.size for pack in packs) / len(packs) > MAX_PACK / 4


@pytest.mark.parametrize("place", range(0, 10_000, 137))
def test_one_changed_file_sends_its_pack_and_hardly_another(place: int) -> None:
    changed = [*SMALL_FILES[:place], Member(777, bytes([place % 256]) * 32), *SMALL_FILES[place + 1 :]]
    added = [*SMALL_FILES[:place], Member(777, bytes([place % 256]) * 32), *SMALL_FILES[place:]]

    assert bytes_to_send(SMALL_FILES, changed) <= 2 * MAX_PACK
    assert bytes_to_send(SMALL_FILES, added) <= 2 * MAX_PACK


def test_a_changed_file_mostly_sends_one_pack() -> None:
    sizes = []
    for place in range(0, 10_000, 50):
        changed = [*SMALL_FILES[:place], Member(20_000, CHANCE.randbytes(32)), *SMALL_FILES[place + 1 :]]
        sizes.append(bytes_to_send(SMALL_FILES, changed))

    assert sorted(sizes)[len(sizes) * 9 // 10] <= MAX_PACK


@pytest.mark.parametrize("step", [1, 7, 1000, 2**20])
@pytest.mark.parametrize("packed", [False, True])
def test_packs_come_through_in_chunks_of_any_size(packed: bool, step: int) -> None:
    contents = (b"a" * 3000, b"b", CHANCE.randbytes(2000))
    raw = wire(*contents, packed=packed) + wire(b"another", packed=False)

    assert read(raw, step) == [(pack_of(*contents), b"".join(contents)), (pack_of(b"another"), b"another")]


def broken(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def lying(pack: Pack, body: bytes, encoding: int = PLAIN) -> bytes:
    return header_of(pack, encoding, len(body)) + body


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "another content": (lambda: broken(wire(b"abc", b"def"), -1), "pack-mismatch"),
    "another digest": (lambda: broken(wire(b"abc"), 20), "pack-mismatch"),
    "another size": (lambda: broken(wire(b"abc"), 11), "pack-invalid"),
    "members changed about": (lambda: lying(pack_of(b"abc", b"def"), b"defabc"), "pack-mismatch"),
    "unknown version": (lambda: broken(wire(b"abc"), 0), "pack-invalid"),
    "unknown encoding": (lambda: lying(pack_of(b"abc"), b"abc", 7), "pack-invalid"),
    "no member": (lambda: lying(Pack(()), b"abc"), "pack-invalid"),
    "an empty member": (lambda: lying(pack_of(b"", b"abc"), b"abc"), "pack-invalid"),
    "more than its members": (lambda: lying(pack_of(b"abc"), b"abcd"), "pack-invalid"),
    "cut in its content": (lambda: wire(b"abc")[:-1], "pack-truncated"),
    "cut in its list": (lambda: wire(b"abc")[:30], "pack-truncated"),
    "cut in its header": (lambda: wire(b"abc")[:5], "pack-truncated"),
    "no zstd": (lambda: lying(pack_of(bytes(1000)), b"x" * 100, ZSTD), "pack-invalid"),
    "a bomb": (lambda: lying(pack_of(bytes(1000)), zstandard.compress(bytes(2**26))[:900], ZSTD), "pack-invalid"),
    "unpacks to less": (lambda: lying(pack_of(bytes(1000)), zstandard.compress(bytes(999)), ZSTD), "pack-invalid"),
    "too large": (lambda: lying(Pack((Member(PART, bytes(32)), Member(1, bytes(32)))), b"x"), "pack-too-large"),
    "a length of gigabytes": (lambda: header_of(pack_of(b"abc"), PLAIN, 2**32 - 1), "pack-invalid"),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("step", [3, 2**20])
def test_what_is_no_pack_is_refused(what: str, step: int) -> None:
    make, slug = REFUSED[what]

    with pytest.raises(ShipwayError) as raised:
        read(make(), step)

    assert raised.value.slug == slug


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 5])
def test_a_content_has_one_name_however_it_comes(size: int) -> None:
    content = CHANCE.randbytes(size)
    parts = [hashlib.sha256(content[at : at + PART]).digest() for at in range(0, size, PART)]
    pieces, whole = ContentHash(), ContentHash()

    whole.update(memoryview(content))
    for at in range(0, size, 1_000_003):
        pieces.update(memoryview(content)[at : at + 1_000_003])

    assert pieces.digest() == whole.digest() == content_digest(parts)
    if size <= PART:
        assert whole.digest() == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_no_small_file_has_the_name_of_a_large_one() -> None:
    parts = [bytes(32), bytes(32)]

    assert content_digest(parts) != content_digest([hashlib.sha256(b"".join(parts)).digest()])
