"""Whether what callers came with still stands while they read on: asked once for all streams of one caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from shipway.exceptions import Unavailable

log = structlog.get_logger(__name__)

LOOK = 0.5
"""Seconds between two looks."""


class Standing:
    """One caller's, as last seen."""

    def __init__(self) -> None:
        self.revoked = False
        self.streams = 0


class Standings:
    """Those of all callers that read streams of this process."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Standing, asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def of(
        self, caller: str, revoked: Callable[[], Awaitable[bool]], tell: Callable[[], None]
    ) -> AsyncIterator[Standing]:
        """Watch a caller's standing.

        Args:
            caller: the id of what they came with.
            revoked: asks whether it was revoked.
            tell: called once it was.
        """
        if caller not in self._known:
            new = Standing()
            self._known[caller] = new, asyncio.create_task(_watch(new, revoked, tell))
        standing, watching = self._known[caller]
        standing.streams += 1
        try:
            yield standing
        finally:
            standing.streams -= 1
            if not standing.streams:
                watching.cancel()
                del self._known[caller]


async def _watch(standing: Standing, revoked: Callable[[], Awaitable[bool]], tell: Callable[[], None]) -> None:
    while not standing.revoked:
        await asyncio.sleep(LOOK)
        try:
            standing.revoked = await revoked()
        except Unavailable as fault:  # Redis is away, and with it everything that could be told
            log.warning("can't look who was revoked", fault=fault.message)
    tell()
