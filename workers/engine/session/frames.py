"""Writes a gRPC stream's bytes as many HTTP/2 frames at a time.

grpclib frames and writes 16 KiB at a time, with a system call, a state machine and some copies for each: a GiB takes
seconds of nothing else. Here as many DATA frames as the daemon's window has room for go out in one write. That a
DATA frame may be sent (the stream is open) is known as long as grpclib has not ended it. Source: RFC 9113, section 6.1.
"""

from __future__ import annotations

import struct

from grpclib.exceptions import StreamTerminatedError
from grpclib.protocol import Stream

_FRAME = struct.Struct(">HBBBI")
"""Length (24 bits), type, flags, stream."""
_DATA = 0
AT_ONCE = 512 * 1024
"""Bytes of one write: the transport is asked in between whether it has room."""


async def send_frames(stream: Stream, data: bytes | bytearray) -> None:
    """Send bytes on a stream, as fast as the other side lets us.

    Raises:
        StreamTerminatedError: the stream has ended meanwhile.
    """
    view, sent = memoryview(data), 0
    while sent < len(view):
        room = await _room(stream)
        piece = view[sent : sent + min(room, AT_ONCE)]
        stream._transport.write(_framed(stream, piece))  # noqa: SLF001  (as grpclib's own `send_data` does)
        _account(stream, len(piece))
        sent += len(piece)


async def _room(stream: Stream) -> int:
    """Wait until there is some, and return how many bytes may be sent."""
    while True:
        await stream.connection.write_ready.wait()
        speech = stream._h2_connection  # noqa: SLF001
        if stream.id is None or stream.id not in speech.streams:
            raise StreamTerminatedError("the daemon has ended the transfer")
        room: int = speech.local_flow_control_window(stream.id)
        if room > 0:
            return room
        stream.window_updated.clear()
        await stream.window_updated.wait()


def _framed(stream: Stream, piece: memoryview) -> bytes:
    longest = stream._h2_connection.max_outbound_frame_size  # noqa: SLF001
    frames: list[bytes | memoryview] = []
    for start in range(0, len(piece), longest):
        payload = piece[start : start + longest]
        frames.append(_FRAME.pack(len(payload) >> 8, len(payload) & 0xFF, _DATA, 0, stream.id))
        frames.append(payload)
    return b"".join(frames)


def _account(stream: Stream, size: int) -> None:
    """Take what was sent off both windows, as h2 does for the frames it writes itself."""
    speech = stream._h2_connection  # noqa: SLF001
    speech.outbound_flow_control_window -= size
    speech.streams[stream.id or 0].outbound_flow_control_window -= size
    stream.data_sent += size
    stream.connection.data_sent += size
    stream.connection.data_send_process()
