"""Commands run in a container that is up, their output streamed as it comes.

Format of the stream: Docker Engine API, `ContainerAttach`: frames of an 8-byte header (which stream, three zeros,
length of the payload as 4 bytes, big-endian) and the payload.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Literal

from aiodocker import DockerError
from aiohttp import ClientResponse

from shipway.exceptions import BuildSystemError
from shipway.models.event import LogChunk
from workers.engine import refusals
from workers.engine.api import DaemonApi, lost
from workers.engine.canary import Canary
from workers.engine.contract import Sink

Stream = Literal["stdout", "stderr"]

_HEADER = struct.Struct(">B3xI")
_STDERR = 2
_KILLED = 137
_ENDING = 5.0
"""Seconds between the end of a command's output and the daemon's word of its exit code."""
_DYING = 3.0
"""Seconds that a daemon which killed the command may take to go away itself."""


async def execute(api: DaemonApi, container: str, argv: Sequence[str], sink: Sink) -> int:
    """Run a command; see `Containers.run`."""
    async with Canary(api) as canary:
        try:
            command = await _prepare(api, container, argv)
            body = json.dumps({"Detach": False, "Tty": False}).encode()
            async with api.request("POST", f"exec/{command}/start", body=body) as response:
                await _follow(response, sink)
            code = await _exit_code(api, command)
        except DockerError as error:
            raise refusals.of_container(error) from error
        if code and await canary.died(_DYING if code == _KILLED else 0.0):
            raise lost("it was told to stop")
    return code


async def _prepare(api: DaemonApi, container: str, argv: Sequence[str]) -> str:
    body = json.dumps({"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv)}).encode()
    return str((await api.json("POST", f"containers/{container}/exec", body=body))["Id"])


async def _follow(response: ClientResponse, sink: Sink) -> None:
    frames, texts = Frames(), Texts()
    async for chunk in response.content.iter_any():
        for event in texts.read(frames.feed(chunk)):
            await sink(event)
    for event in texts.end():
        await sink(event)


async def _exit_code(api: DaemonApi, command: str) -> int:
    """Ask until the daemon has seen the end of the command: its output ends a moment before."""
    began = time.monotonic()
    while time.monotonic() - began < _ENDING:
        told = await api.json("GET", f"exec/{command}/json")
        if not told["Running"] and told["ExitCode"] is not None:
            return int(told["ExitCode"])
        await asyncio.sleep(0.02)
    raise BuildSystemError("the daemon lost the command that it ran", slug="container-failed")


class Frames:
    """Takes a multiplexed stream apart, at whatever places it was cut."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0
        self._stream: Stream = "stdout"

    def feed(self, chunk: bytes) -> Iterator[tuple[Stream, bytes]]:
        """Yield the pieces of payload in a chunk."""
        at = 0
        while at < len(chunk):
            if self._left == 0:
                wanted = _HEADER.size - len(self._header)
                self._header += chunk[at : at + wanted]
                at += wanted
                if len(self._header) == _HEADER.size:
                    kind, self._left = _HEADER.unpack(self._header)
                    self._stream, self._header = ("stderr" if kind == _STDERR else "stdout"), b""
                continue
            piece = chunk[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            yield self._stream, piece


class Texts:
    """Turns pieces of output into text; a character cut in two waits for its other half."""

    def __init__(self) -> None:
        make = codecs.getincrementaldecoder("utf-8")
        self._decoders: dict[Stream, codecs.IncrementalDecoder] = {"stdout": make("replace"), "stderr": make("replace")}

    def read(self, pieces: Iterator[tuple[Stream, bytes]]) -> Iterator[LogChunk]:
        """Yield the text of pieces that came together, neighbours of one stream as one."""
        stream: Stream = "stdout"
        text: list[str] = []
        for whose, piece in pieces:
            if whose != stream:
                yield from _chunk(stream, text)
                stream, text = whose, []
            text.append(self._decoders[whose].decode(piece))
        yield from _chunk(stream, text)

    def end(self) -> Iterator[LogChunk]:
        """Yield what was waiting."""
        for stream, decoder in self._decoders.items():
            yield from _chunk(stream, [decoder.decode(b"", final=True)])


def _chunk(stream: Stream, text: list[str]) -> Iterator[LogChunk]:
    if joined := "".join(text):
        yield LogChunk(stream=stream, text=joined)
