"""Tells a daemon that died from a build that failed.

A daemon that is told to stop kills the running step, and its last words look as if the user's command had failed: with
code 137 mostly, with code 1 when the step was just being started (seen with SIGTERM under load). An open `GET /events`
breaks with the daemon and never before: a canary in the mine.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import aiohttp

from shipway.exceptions import BuildSystemError
from workers.engine.api import DaemonApi

ANSWERING = 10.0
"""Seconds that a busy daemon gets to answer."""


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

        A daemon that stops takes no new connection from the first moment on, before it touches any step. A current one
        lets open streams run on for many seconds.
        """
        if self._watch is None:
            return False
        done, _ = await asyncio.wait([self._watch], timeout=within)
        return bool(done) or not await self._answers()

    async def _answers(self) -> bool:
        try:
            async with DaemonApi(self._api.host) as fresh:  # an old connection would still be served
                await fresh.json("GET", "version", limit=ANSWERING)
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
