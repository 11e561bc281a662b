"""Entries are told to the daemon in Go's terms."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shipway.models.context import Entry, EntryType
from workers.engine.session.packets import PacketWriter, go_mode, stat_packets, telling_time
from workers.engine.session.proto.fsutil_pb2 import Packet

DIGEST = "sha256:" + "0" * 52 + "00000000abcd"


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [
        (EntryType.FILE, 0o644, 0o644),
        (EntryType.FILE, 0o4755, 1 << 23 | 0o755),
        (EntryType.FILE, 0o2755, 1 << 22 | 0o755),
        (EntryType.DIR, 0o1777, 1 << 31 | 1 << 20 | 0o777),
        (EntryType.SYMLINK, 0o644, 1 << 27 | 0o777),
    ],
)
def test_mode_bits(kind: EntryType, mode: int, expected: int) -> None:
    assert go_mode(kind, mode) == expected


def test_link_is_as_long_as_its_target_in_bytes() -> None:
    (packet,) = stat_packets([Entry("x", EntryType.SYMLINK, 0o777, link="größe")])
    stat = packet.stat

    assert (stat.size, stat.linkname) == (7, "größe")


def test_nothing_of_an_entry_is_told_of_the_next_one() -> None:
    entries = [
        Entry("link", EntryType.SYMLINK, 0o777, 0, 7, "target"),
        Entry("dir", EntryType.DIR, 0o755),
        Entry("dir/file", EntryType.FILE, 0o4755, 5, 1_700_000_000_000_000_000, digest=DIGEST),
        Entry("empty", EntryType.FILE, 0),
    ]

    together = [packet.SerializeToString() for packet in stat_packets(entries)]
    apart = [packet.SerializeToString() for entry in entries for packet in stat_packets([entry])]

    assert together == apart
    assert len(set(together)) == len(entries)


def test_owner_is_root() -> None:
    (packet,) = stat_packets([Entry("x", EntryType.FILE, 0o644)])
    stat = packet.stat

    assert (stat.uid, stat.gid) == (0, 0)


@pytest.mark.parametrize("mtime", [0, 1_700_000_000_123_456_789, -1_500_000_000])
def test_time_keeps_its_second_and_tells_the_content(mtime: int) -> None:
    entry = Entry("x", EntryType.FILE, 0o644, 1, mtime, digest=DIGEST)
    other = entry._replace(digest=DIGEST[:-1] + "e")

    assert telling_time(entry) // 10**9 == mtime // 10**9
    assert telling_time(entry) == telling_time(entry._replace(mtime_ns=mtime // 10**9 * 10**9 + 5))
    assert telling_time(entry) != telling_time(other)


def test_directories_keep_their_time() -> None:
    assert telling_time(Entry("x", EntryType.DIR, 0o755, 0, 123)) == 123


@pytest.mark.parametrize("content", [b"", b"x", b"y" * 300, b"z" * 70_000])
@pytest.mark.parametrize("index", [0, 1, 127, 128, 1_000_000])
async def test_content_is_told_as_protobuf_would_tell_it(index: int, content: bytes) -> None:
    writer = PacketWriter(cast("Any", None))  # nothing is flushed

    await writer.data(index, content)

    message = bytes(writer._batch)
    assert Packet.FromString(message[5:]) == Packet(type=Packet.PACKET_DATA, ID=index, data=content)
    assert message[:5] == b"\0" + (len(message) - 5).to_bytes(4, "big")
