"""Serves a build's files out of their manifests; nothing is ever unpacked.

BuildKit asks for a directory by name (`context`, `dockerfile`) with patterns of what it wants. We send a STAT
for every entry; it asks back for the content of those it has no equal copy of. Sources: buildkit
`session/filesync`, fsutil `send.go` and `receive.go`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain
from urllib.parse import unquote_plus

from grpclib import GRPCError, Status
from grpclib.server import Stream
from multidict import MultiDict

from shipway.context.select import select
from shipway.context.source import ContextSource
from shipway.exceptions import BuildSystemError
from shipway.models.context import Entry, EntryType
from workers.engine.session.grpc import Calls, streaming
from workers.engine.session.packets import PacketWriter, stat_packets
from workers.engine.session.proto.fsutil_pb2 import Packet

READERS = 4
"""Files read at the same time, so that a store's latency is not paid file by file."""
MAX_DATA = 1024 * 1024
"""Bytes of content in one packet. Docker's own client sends 32 KiB; daemons take gRPC messages of up to 4 MiB."""


class FileSync:
    """`moby.filesync.v1.FileSync`.

    Attributes:
        sent: bytes of content sent so far.
        wanted: bytes of content of all files that were wanted, sent or not.
        failure: why content could not be read, if that is what ended a transfer.

    Args:
        directories: gives what there is, by name; the daemon waits for it.
    """

    def __init__(self, directories: Callable[[], Awaitable[Mapping[str, ContextSource]]]) -> None:
        self._directories = directories
        self.sent = 0
        self.wanted = 0
        self.failure: Exception | None = None

    def __mapping__(self) -> Calls:
        return {"/moby.filesync.v1.FileSync/DiffCopy": streaming(self._diff_copy, Packet, Packet)}

    async def _diff_copy(self, stream: Stream[Packet, Packet]) -> None:
        asked = MultiDict(stream.metadata or ())
        try:
            source = await self._directory(str(asked.get("dir-name", "")))
            await self._transfer(source, asked, stream)
        except GRPCError:
            raise
        except Exception as error:
            self.failure = error
            raise GRPCError(Status.INTERNAL, str(error)[:1024]) from error

    async def _directory(self, name: str) -> ContextSource:
        source = (await self._directories()).get(name)
        if source is None:
            raise GRPCError(Status.NOT_FOUND, f"this build has no directory {name!r}")
        return source

    async def _transfer(
        self, source: ContextSource, asked: MultiDict[str | bytes], stream: Stream[Packet, Packet]
    ) -> None:
        entries = await asyncio.to_thread(_wanted, source, asked)
        self.wanted += sum(entry.size for entry in entries)
        transfer = Transfer(source, entries, stream)
        try:
            await transfer.run()
        finally:
            self.sent += transfer.sent


class Transfer:
    """One directory on its way to the daemon."""

    def __init__(self, source: ContextSource, entries: Sequence[Entry], stream: Stream[Packet, Packet]) -> None:
        self._source = source
        self._entries = entries
        self._stream = stream
        self._writer = PacketWriter(stream)
        self._requests: asyncio.Queue[int | None] = asyncio.Queue()
        self.sent = 0

    async def run(self) -> None:
        """Send the STATs and whatever content the daemon asks for, until it has all it wants.

        Raises:
            Exception: whatever the source's reader raises.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._send_stats())
                for _ in range(READERS):
                    group.create_task(self._serve())
        except* Exception as errors:  # noqa: BLE001 - the first is the cause, the others its consequences
            raise _first(errors) from None
        await self._writer.send([Packet(type=Packet.PACKET_FIN)])
        await self._writer.flush()

    async def _send_stats(self) -> None:
        await self._writer.send(chain(stat_packets(self._entries), (Packet(type=Packet.PACKET_STAT),)))
        await self._writer.flush()

    async def _listen(self) -> None:
        """Queue what the daemon asks for. None, once per reader, ends the queue."""
        async for packet in self._stream:
            if packet.type == Packet.PACKET_REQ:
                self._requests.put_nowait(packet.ID)
            elif packet.type == Packet.PACKET_FIN:
                break
            elif packet.type == Packet.PACKET_ERR:
                raise BuildSystemError(
                    f"the daemon refused the context: {packet.data.decode(errors='replace')}", slug="context-refused"
                )
        for _ in range(READERS):
            self._requests.put_nowait(None)

    async def _serve(self) -> None:
        while (index := await self._requests.get()) is not None:
            await self._send_content(index)
            if self._requests.empty():
                await self._writer.flush()

    async def _send_content(self, index: int) -> None:
        if index >= len(self._entries):
            raise BuildSystemError(f"the daemon asked for file {index} of {len(self._entries)}", slug="context-refused")
        entry, sent = self._entries[index], 0
        if entry.type is EntryType.FILE and entry.size:
            async for chunk in self._source.read(entry):
                view = memoryview(chunk)
                for start in range(0, len(view), MAX_DATA):
                    await self._writer.data(index, view[start : start + MAX_DATA])
                sent += len(view)
        if sent != entry.size:
            raise BuildSystemError(
                f"{entry.path} has {sent} bytes in the store, not {entry.size}", slug="context-unreadable"
            )
        self.sent += sent
        await self._writer.data(index, b"")


def _wanted(source: ContextSource, asked: MultiDict[str | bytes]) -> list[Entry]:
    return select(
        source.manifest,
        include_patterns=_patterns(asked, "include-patterns"),
        exclude_patterns=_patterns(asked, "exclude-patterns"),
        follow_paths=_patterns(asked, "followpaths"),
    )


def _patterns(asked: MultiDict[str | bytes], name: str) -> list[str]:
    """Read the values of a header; BuildKit escapes them all when one isn't ASCII, and says so."""
    values = [str(value) for value in asked.getall(name, ())]
    escaped = str(asked.get(f"{name}-encoded", "")).lower() in ("1", "t", "true")
    return [unquote_plus(value) for value in values] if escaped else values


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
