"""How many requests a project makes, counted over all replicas of the service."""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from shipway.limits import ProjectLimits
from shipway.storage import keys
from shipway.storage.redis import Scripts

BURST = 5.0
"""Seconds' worth of requests that may come at once."""


class Pace:
    """Lets every project make so many requests per second."""

    def __init__(self, redis: Redis, limits_of: Callable[[str], ProjectLimits]) -> None:
        self._scripts = Scripts(redis)
        self._limits_of = limits_of

    async def wait(self, project: str) -> float:
        """Count one request; returns 0, or the seconds to wait before the next one when it is one too many."""
        per_second = self._limits_of(project).max_requests
        limits = [per_second, max(1.0, per_second * BURST)]
        return float(await self._scripts.call("pace", [keys.pace(project)], limits)) / 1000
