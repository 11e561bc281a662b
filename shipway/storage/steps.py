"""Which worker has which steps, lineage by lineage, as far as builds have told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from redis.asyncio import Redis

from shipway.models.spec import BuildSpec
from shipway.storage import keys
from shipway.storage.lineages import lineage_digest

KEPT = 5000
"""Steps of one lineage that are remembered, all workers together; the oldest are forgotten."""


class StepLog:
    """Remembers the fingerprints of steps that a worker ran or had."""

    def __init__(self, redis: Redis, retention: float) -> None:
        self._redis = redis
        self._retention = int(retention)

    async def had(self, project: str, spec: BuildSpec, steps: Collection[str]) -> dict[str, int]:
        """How many of these steps each living worker has."""
        workers = sorted(cast("set[str]", await self._redis.smembers(keys.WORKERS)))
        if not workers or not steps:
            return {}
        members = [f"{worker} {step}" for worker in workers for step in steps]
        scores: list[Any] = await self._redis.zmscore(self._key(project, spec), members)
        known = {member for member, score in zip(members, scores, strict=True) if score is not None}
        return {worker: sum(f"{worker} {step}" in known for step in steps) for worker in workers}

    async def add(self, project: str, spec: BuildSpec, worker: str, steps: Collection[str]) -> None:
        """Remember that a worker has these steps from now on."""
        if not steps:
            return
        seconds, _ = await self._redis.time()
        key = self._key(project, spec)
        pipe = self._redis.pipeline(transaction=True)
        pipe.zadd(key, {f"{worker} {step}": float(seconds) for step in steps})
        pipe.zremrangebyrank(key, 0, -KEPT - 1)
        pipe.expire(key, self._retention)
        await pipe.execute()

    def _key(self, project: str, spec: BuildSpec) -> str:
        return keys.steps(project, lineage_digest(project, spec))
