"""Tells a daemon that died from a build that failed.

A daemon that is told to stop kills the running step, and its last words look as if the user's command had
failed with code 137. An open `GET /events` breaks with the daemon and never before: a canary in the mine.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import aiohttp

from shipway.exceptions import BuildSystemError
from workers.engine.api import DaemonApi


class Canary:
    """Watches a daemon while something else runs on it."""

    def __init__(self, api: DaemonApi) -> None:
        self._api = api
        self._sitting = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watch = asyncio.create_task(self._listen())
        sitting = asyncio.create_task(self._sitting.wait())
        try:
            await asyncio.wait([self._watch, sitting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sitting.cancel()
        if self._watch.done():
            await self._watch
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            if not self._watch.cancelled():
                self._watch.exception()  # seen: `died` has told of it, if anyone asked

    async def died(self, within: float) -> bool:
        """Wait up to `within` seconds for the daemon's end; tell whether it came, or has begun.

        A current engine that stops lets open streams run on for many seconds, but takes no new connection.
        """
        if self._watch is None:
            return False
        done, _ = await asyncio.wait([self._watch], timeout=within)
        return bool(done) or (within > 0 and not await self._answers(within))

    async def _answers(self, within: float) -> bool:
        try:
            await self._api.json("GET", "version", limit=within)
        except BuildSystemError:
            return False
        return True

    async def _listen(self) -> None:
        quiet = [("filters", '{"type":["daemon"]}')]
        async with self._api.request("GET", "events", query=quiet) as response:
            self._sitting.set()
            try:
                async for _ in response.content.iter_any():
                    pass
            except aiohttp.ClientError:
                return
