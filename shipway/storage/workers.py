"""Which workers there are: each says of itself, every few seconds, what it is and what it can take."""

from __future__ import annotations

from typing import cast

from redis.asyncio import Redis

from shipway.models.worker import Worker
from shipway.storage import keys

HEARTBEAT = 3.0
"""Seconds between two words of a worker."""
_FORGET = int(3 * HEARTBEAT)


class WorkerRegistry:
    """Reads and writes what workers say of themselves."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def announce(self, worker: Worker) -> None:
        """Say what this worker is; it counts for three heartbeats."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.sadd(keys.WORKERS, worker.name)
        pipe.set(keys.worker(worker.name), worker.model_dump_json(exclude={"running"}), ex=_FORGET)
        await pipe.execute()

    async def withdraw(self, name: str) -> None:
        """Take a worker that stops off the list."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.srem(keys.WORKERS, name)
        pipe.delete(keys.worker(name))
        await pipe.execute()

    async def all(self) -> list[Worker]:
        """List the workers that are alive, by name; those gone silent are dropped from the set."""
        names: list[str] = sorted(cast("set[str]", await self._redis.smembers(keys.WORKERS)))
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.get(keys.worker(name))
            pipe.scard(keys.worker_jobs(name))
        answers = await pipe.execute()
        alive = []
        for name, said, running in zip(names, answers[::2], answers[1::2], strict=True):
            if said is None:
                await self._redis.srem(keys.WORKERS, name)
            else:
                alive.append(Worker.model_validate_json(said).model_copy(update={"running": running}))
        return alive

    async def lead(self, name: str, seconds: float) -> bool:
        """Become, or stay, the one reaper for some seconds; False when another worker is."""
        if await self._redis.set(keys.REAPER, name, nx=True, px=int(seconds * 1000)):
            return True
        if await self._redis.get(keys.REAPER) != name:
            return False
        return bool(await self._redis.pexpire(keys.REAPER, int(seconds * 1000)))
