"""How builds go over time: one Redis hash of counts per project and hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis

from shipway.models.job import Job
from shipway.models.trend import HOUR, Trend, counts_of
from shipway.storage import keys

KEPT = 31 * 86_400
"""Seconds that an hour's counts are kept."""


class TrendLog:
    """Counts ended builds, and reads the counts of spans."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def count(self, job: Job) -> None:
        """Count a build that has ended."""
        key = keys.trend(job.project, int(job.timings.finished or 0) // HOUR)
        pipe = self._redis.pipeline(transaction=True)
        for field, number in counts_of(job).items():
            pipe.hincrby(key, field, number)
        pipe.expire(key, KEPT)
        await pipe.execute()

    async def read(self, project: str, hours: Iterable[int]) -> list[Trend]:
        """Read the counts of hours, given as whole hours since the epoch, in their order."""
        wanted = list(hours)
        pipe = self._redis.pipeline(transaction=False)
        for hour in wanted:
            pipe.hgetall(keys.trend(project, hour))
        answers: list[Any] = await pipe.execute()
        return [
            Trend(hour * HOUR, Counter({field: int(number) for field, number in answer.items()}))
            for hour, answer in zip(wanted, answers, strict=True)
        ]
