"""DiffCopy's packets: how entries are told, and how packets are written fast."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache

from grpclib.server import Stream

from shipway.models.context import Entry, EntryType
from workers.engine.session.frames import send_frames
from workers.engine.session.proto.fsutil_pb2 import Packet

# Go's os.FileMode bits, in which fsutil speaks: https://pkg.go.dev/io/fs#FileMode
GO_DIR = 1 << 31
GO_SYMLINK = 1 << 27
GO_SETUID = 1 << 23
GO_SETGID = 1 << 22
GO_STICKY = 1 << 20

BATCH = 256 * 1024
"""Bytes of content that are written at once: one write for many small files."""
SMALL_BATCH = 32 * 1024
"""Bytes of other packets that are: one write for hundreds of STATs. The daemon takes longer over them than they take to
make, and should have some to work on meanwhile."""
_SECOND = 10**9
_MESSAGE = struct.Struct(">?I")
"""What stands before each gRPC message: not compressed, so many bytes."""
_TYPE_DATA, _ID, _DATA = b"\x08\x02", b"\x18", b"\x22"
"""Of a Packet: the field `type` with the value DATA, and what stands before the fields `ID` and `data`."""


class PacketWriter:
    """Writes packets to one stream from many coroutines, in batches.

    gRPC frames may share a write but never interleave, so whatever is written goes through one lock. `send` and
    `data` wait only when a batch is full: the slower the daemon reads, the longer.
    """

    def __init__(self, stream: Stream[Packet, Packet]) -> None:
        self._stream = stream
        self._batch = bytearray()
        self._lock = asyncio.Lock()
        self._open = False

    async def send(self, packets: Iterable[Packet]) -> None:
        """Add packets to the batch; each is read before the next one is asked for."""
        for packet in packets:
            raw = packet.SerializeToString()
            self._batch += _MESSAGE.pack(False, len(raw))
            self._batch += raw
            if len(self._batch) >= SMALL_BATCH:
                await self.flush()

    async def data(self, index: int, content: bytes | memoryview) -> None:
        """Add some content of a file; nothing of it says that it was the last.

        Protobuf would copy the content twice on its way to the same bytes.
        """
        head = _TYPE_DATA + ((_ID + _varint(index)) if index else b"")
        if content:
            head += _DATA + _varint(len(content))
        self._batch += _MESSAGE.pack(False, len(head) + len(content))
        self._batch += head
        self._batch += content
        if len(self._batch) >= BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Write what has gathered."""
        async with self._lock:
            if not self._open:
                await self._stream.send_initial_metadata()
                self._open = True
            if self._batch:
                batch, self._batch = self._batch, bytearray()
                await send_frames(self._stream._stream, batch)  # noqa: SLF001 - its public call frames each message


def _varint(number: int) -> bytes:
    """Seven bits at a time, the lowest first. Source: Protocol Buffers, "Encoding"."""
    digits = bytearray()
    while number > 0x7F:  # noqa: PLR2004
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def stat_packets(entries: Iterable[Entry]) -> Iterator[Packet]:
    """Describe entries. Owner and group are root's, as docker's own client says.

    It is the same packet every time, filled anew: making one takes longer than all the rest.
    """
    packet = Packet(type=Packet.PACKET_STAT)
    stat = packet.stat
    for entry in entries:
        stat.path = entry.path
        stat.mode = go_mode(entry.type, entry.mode)
        stat.size = len(entry.link.encode()) if entry.link else entry.size
        stat.modTime = telling_time(entry)
        stat.linkname = entry.link
        yield packet


@lru_cache(4096)
def go_mode(kind: EntryType, permissions: int) -> int:
    """Translate an entry's type and permissions into Go's mode bits."""
    if kind is EntryType.SYMLINK:
        return GO_SYMLINK | 0o777
    mode = permissions & 0o777
    for posix, go in ((0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)):
        mode |= go if permissions & posix else 0
    return mode | GO_DIR if kind is EntryType.DIR else mode


def telling_time(entry: Entry) -> int:
    """Return the modification time (ns) to tell the daemon: the entry's second, the content's nanoseconds.

    The daemon takes a file for unchanged when path, mode, size and time are those of its last copy. Two
    archives with all times set to zero, as reproducible builds make them, would pass for equal. Nanoseconds
    drawn from the content's digest tell them apart; image layers keep whole seconds only.
    """
    if not entry.digest:
        return entry.mtime_ns
    return entry.mtime_ns // _SECOND * _SECOND + int(entry.digest[-12:], 16) % _SECOND
