"""Sends an archive to the daemon as it is read, chunk by chunk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiodocker import DockerError

from shipway.exceptions import JobError
from shipway.models.event import Progress
from workers.engine.api import DaemonApi, Pairs
from workers.engine.contract import Sink
from workers.engine.throttle import Throttle

_HEADERS = {
    "Content-Type": "application/x-tar",
    # The daemon refuses bad options before it reads the body. Without this, its answer and our writing to a
    # connection that it then closes would be a race, and the reason would be lost now and then.
    "Expect": "100-continue",
}

_PIECE = 2**20
"""Bytes written at once: more than a socket holds.

A daemon that refuses in the middle answers and closes. asyncio drops what it has not read yet when a write fails, and
the daemon's reason with it, unless it was waiting to write: then it reads first. Engine 20.10 refuses imports so fast
that with pieces of 4 KiB the reason was lost 25 times of 25, with these 0 times.
"""


class Upload:
    """Chunks on their way to the daemon.

    Attributes:
        sent: bytes that the daemon was given.
        complete: whether that is all there is.
        failure: what the source of the chunks (or the sink) raised. The daemon then complains of a broken archive;
            this is the true cause.
    """

    def __init__(self, chunks: AsyncIterator[bytes], sink: Sink | None = None, action: str = "Sending") -> None:
        self._chunks = chunks
        self._sink = sink
        self._action = action
        self._throttle = Throttle()
        self._first = b""
        self.sent = 0
        self.complete = False
        self.failure: Exception | None = None

    async def begin(self) -> bool:
        """Read up to the first byte; tell whether there is one. What the source raises comes through."""
        async for chunk in self._chunks:
            if chunk:
                self._first = chunk
                return True
        return False

    @asynccontextmanager
    async def to(
        self, api: DaemonApi, method: str, path: str, query: Pairs = ()
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send it all, and give the answer.

        Raises:
            DockerError: the daemon refuses it.
            BuildSystemError: the daemon is away.
            Exception: whatever `failure` is, if there is one.
        """
        try:
            async with api.request(method, path, query=query, headers=_HEADERS, body=self._body()) as response:
                yield response
        except (DockerError, JobError):
            if self.failure is not None:
                raise self.failure from None
            raise

    async def _body(self) -> AsyncIterator[bytes]:
        try:
            held = bytearray(self._first)
            async for chunk in self._chunks:
                held += chunk
                if len(held) >= _PIECE:
                    yield await self._counted(held)
                    held = bytearray()
            if held:  # an empty piece would end the body
                yield await self._counted(held)
            self.complete = True
        except Exception as error:
            self.failure = error
            raise

    async def _counted(self, piece: bytearray) -> bytes:
        self.sent += len(piece)
        report = Progress(id="archive", action=self._action, current=self.sent)
        if self._sink is not None and self._throttle.passes(report):
            await self._sink(report)
        for _ in range(2):  # once to see that the daemon has answered, once to read it
            await asyncio.sleep(0)
        return bytes(piece)
