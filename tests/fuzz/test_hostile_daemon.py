"""Whatever a daemon asks of a build's files: it gets what is in the context, or a refusal, and nothing else."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any, cast

from grpclib import GRPCError
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from shipway.context.source import ContextSource
from shipway.models.context import Entry, EntryType, Manifest
from workers.engine.session import FileSync
from workers.engine.session.proto.fsutil_pb2 import Packet

FILES = {"a": b"one", "b/c": b"two" * 20, "b/é": b""}
MANIFEST = Manifest(Entry(path, EntryType.FILE, 0o644, len(content)) for path, content in FILES.items())


async def read(entry: Entry) -> AsyncIterator[bytes]:
    yield FILES[entry.path]


async def directories() -> dict[str, ContextSource]:
    return {"context": ContextSource(MANIFEST, read)}


class Asking:
    """The daemon's end of one DiffCopy: what it sends, and what it was sent."""

    def __init__(self, metadata: list[tuple[str, str]], packets: list[Packet]) -> None:
        self.metadata = MultiDict(metadata)
        self._packets = packets
        self._sent = bytearray()
        self._stream = self  # grpclib's own stream, past its framing

    async def __aiter__(self) -> AsyncIterator[Packet]:
        for packet in self._packets:
            yield packet

    async def send_initial_metadata(self) -> None:
        pass

    async def send_data(self, raw: bytes) -> None:
        self._sent += raw

    @property
    def sent(self) -> list[Packet]:
        found, rest = [], bytes(self._sent)
        while rest:
            _, length = struct.unpack(">?I", rest[:5])
            found.append(Packet.FromString(rest[5 : 5 + length]))
            rest = rest[5 + length :]
        return found


WORDS = st.text("ab/c*?[]!.\\é%\0", max_size=8)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["followpaths", "include-patterns", "exclude-patterns", "exclude-patterns-encoded", "x"]), WORDS
    ),
    max_size=4,
)
PACKETS = st.builds(
    Packet,
    type=cast("Any", st.sampled_from([0, 1, 1, 1, 2, 3, 4])),
    ID=st.integers(0, 4) | st.integers(0, 2**32 - 1),
    data=st.binary(max_size=20),
)


@given(
    st.sampled_from(["context", "context", "context", "dockerfile", "", "../x"]), HEADERS, st.lists(PACKETS, max_size=8)
)
def test_diff_copy(name: str, headers: list[tuple[str, str]], packets: list[Packet]) -> None:
    asking = Asking([("dir-name", name), *headers], packets)
    call = FileSync(directories).__mapping__()["/moby.filesync.v1.FileSync/DiffCopy"]
    try:
        asyncio.run(asyncio.wait_for(cast("Any", call.func)(asking), 30))
    except GRPCError:
        return

    listed = [packet.stat.path for packet in asking.sent if packet.type == Packet.PACKET_STAT]
    given_away = {packet.ID: packet.data for packet in asking.sent if packet.type == Packet.PACKET_DATA and packet.data}
    assert set(filter(None, listed)) <= {entry.path for entry in MANIFEST}
    assert all(content == FILES[listed[number]] for number, content in given_away.items())
