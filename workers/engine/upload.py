"""Sends an archive to the daemon as it is read, chunk by chunk."""

from __future__ import annotations

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


class Upload:
    """Chunks on their way to the daemon.

    Attributes:
        sent: bytes that the daemon has taken.
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
            if self._first:
                yield await self._counted(self._first)
                self._first = b""
            async for chunk in self._chunks:
                if chunk:  # an empty one would end the body
                    yield await self._counted(chunk)
        except Exception as error:
            self.failure = error
            raise

    async def _counted(self, chunk: bytes) -> bytes:
        self.sent += len(chunk)
        report = Progress(id="archive", action=self._action, current=self.sent)
        if self._sink is not None and self._throttle.passes(report):
            await self._sink(report)
        return chunk
