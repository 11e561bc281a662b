"""DiffCopy's packets: how entries are told, and how packets are written fast."""

from __future__ import annotations

import asyncio
import struct

from grpclib.server import Stream

from shipway.models.context import Entry, EntryType
from workers.engine.session.proto.fsutil_pb2 import Packet, Stat

# Go's os.FileMode bits, in which fsutil speaks: https://pkg.go.dev/io/fs#FileMode
GO_DIR = 1 << 31
GO_SYMLINK = 1 << 27
GO_SETUID = 1 << 23
GO_SETGID = 1 << 22
GO_STICKY = 1 << 20

BATCH = 64 * 1024
"""Bytes of packets that are written at once: one call into HTTP/2 for hundreds of STATs."""
_SECOND = 10**9
_FRAME = struct.Struct(">?I")


class PacketWriter:
    """Writes packets to one stream from many coroutines, in batches.

    gRPC frames may share a write but never interleave, so whatever is written goes through one lock. `send`
    waits only when a batch is full: the slower the daemon reads, the longer.
    """

    def __init__(self, stream: Stream[Packet, Packet]) -> None:
        self._stream = stream
        self._batch = bytearray()
        self._lock = asyncio.Lock()
        self._open = False

    async def send(self, packet: Packet) -> None:
        """Add a packet to the batch."""
        raw = packet.SerializeToString()
        self._batch += _FRAME.pack(False, len(raw))
        self._batch += raw
        if len(self._batch) >= BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Write what has gathered."""
        async with self._lock:
            if not self._open:
                await self._stream.send_initial_metadata()
                self._open = True
            if self._batch:
                batch, self._batch = bytes(self._batch), bytearray()
                # grpclib's public call writes one message at a time, at the price of a frame each
                await self._stream._stream.send_data(batch)  # noqa: SLF001


def stat_packet(entry: Entry) -> Packet:
    """Describe an entry. Owner and group are root's, as docker's own client says."""
    return Packet(
        type=Packet.PACKET_STAT,
        stat=Stat(
            path=entry.path,
            mode=go_mode(entry),
            size=len(entry.link.encode()) if entry.type is EntryType.SYMLINK else entry.size,
            modTime=telling_time(entry),
            linkname=entry.link,
        ),
    )


def go_mode(entry: Entry) -> int:
    """Translate an entry's type and permissions into Go's mode bits."""
    if entry.type is EntryType.SYMLINK:
        return GO_SYMLINK | 0o777
    mode = entry.mode & 0o777
    for posix, go in ((0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)):
        mode |= go if entry.mode & posix else 0
    return mode | GO_DIR if entry.type is EntryType.DIR else mode


def telling_time(entry: Entry) -> int:
    """Return the modification time (ns) to tell the daemon: the entry's second, the content's nanoseconds.

    The daemon takes a file for unchanged when path, mode, size and time are those of its last copy. Two
    archives with all times set to zero, as reproducible builds make them, would pass for equal. Nanoseconds
    drawn from the content's digest tell them apart; image layers keep whole seconds only.
    """
    if not entry.digest:
        return entry.mtime_ns
    return entry.mtime_ns // _SECOND * _SECOND + int(entry.digest[-12:], 16) % _SECOND
