"""A TCP link on this machine that can be cut, frozen and slowed, between any client and any server."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable
from concurrent.futures import Future
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

from deploy.local.ports import LOOPBACK

CHUNK = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for `close` to send a reset at once."""


class Mode(StrEnum):
    """What a link does with its bytes."""

    PASS = "pass"
    CUT = "cut"
    FROZEN = "frozen"
    SLOW = "slow"


class TcpProxy:
    """Listens on a port of its own and passes on to `127.0.0.1:target`, from a thread of its own.

    A cut link resets what is open and whatever comes. A frozen one keeps connections and moves no byte, as when a cable
    is pulled: nobody is told. What a frozen link held goes on when it passes again.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"link to {target}", daemon=True)
        self._mode = Mode.PASS
        self._rate = 0.0
        self._moving = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._links: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{LOOPBACK}:{self.port}"

    def restore(self) -> None:
        """Pass everything on, at once."""
        self._become(Mode.PASS)

    def cut(self) -> None:
        """Reset every connection, and every new one, until `restore`."""
        self._become(Mode.CUT)

    def freeze(self) -> None:
        """Move no byte until `restore`; connections stay open, new ones are taken and not served."""
        self._become(Mode.FROZEN)

    def slow(self, bytes_per_second: float) -> None:
        """Move so many bytes per second, in each direction of each connection."""
        self._rate = bytes_per_second
        self._become(Mode.SLOW)

    def blink(self) -> None:
        """Reset every open connection; new ones pass."""
        self._run(self._reset()).result()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen()).result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._run(self._close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _become(self, mode: Mode) -> None:
        self._run(self._switch(mode)).result()

    async def _switch(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.FROZEN:
            self._moving.clear()
        else:
            self._moving.set()
        if mode is Mode.CUT:
            await self._reset()

    async def _reset(self) -> None:
        for writer in list(self._open):
            _reset(writer)

    async def _listen(self) -> None:
        self._moving.set()
        self._server = await asyncio.start_server(self._linked, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._reset()
        for link in list(self._links):
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _linked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, to its end."""
        own = asyncio.current_task()
        if own is not None:
            self._links.add(own)
        self._open.add(writer)
        far: asyncio.StreamWriter | None = None
        whole = False
        try:
            await self._moving.wait()
            if self._mode is not Mode.CUT:
                far_reader, far = await asyncio.open_connection(LOOPBACK, self._target)
                self._open.add(far)
                await _both(self._pump(reader, far), self._pump(far_reader, writer))
                whole = True
        except (OSError, asyncio.CancelledError):
            pass  # the server is away, or the proxy ends: the client learns by the reset below
        finally:
            for end in filter(None, (writer, far)):
                end.close() if whole else _reset(end)
                self._open.discard(end)
            if own is not None:
                self._links.discard(own)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Move bytes one way until the source ends."""
        while chunk := await source.read(CHUNK if self._mode is not Mode.SLOW else max(1, int(self._rate / 10))):
            await self._moving.wait()
            if self._mode is Mode.SLOW:
                await asyncio.sleep(len(chunk) / self._rate)
            sink.write(chunk)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()


async def _both(*ways: Awaitable[None]) -> None:
    """Wait until both directions have ended; raise what the first that broke raised."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
