"""Which workers there are: each says of itself, every few seconds, what it is and what it can take."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from shipway.models.image import ImageOnWorker
from shipway.models.worker import Worker
from shipway.storage import keys

HEARTBEAT = 3.0
"""Seconds between two words of a worker."""
_FORGET = int(3 * HEARTBEAT)
_TOLD = 600.0
"""Seconds for which it is known when something was told of an image; no listing takes so long."""
DAY = 86_400
OWN = 30 * DAY
"""Seconds after which a worker that uses none of its own images forgets that they are its own."""
MAX_IMAGES = 20_000
"""Images of one project that are remembered."""


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

    async def drain(self, name: str, *, on: bool) -> None:
        """Ask a worker to take no more jobs, or to take them again; it obeys within a heartbeat."""
        if on:
            await self._redis.sadd(keys.DRAINING, name)
        else:
            await self._redis.srem(keys.DRAINING, name)

    async def draining(self, name: str) -> bool:
        """Whether somebody asked this worker to take no more jobs."""
        return bool(await self._redis.sismember(keys.DRAINING, name))

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

    async def images(self) -> list[ImageOnWorker]:
        """List the images that the living workers' daemons have."""
        names = [worker.name for worker in await self.all()]
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.hvals(keys.worker_images(name))
        return [ImageOnWorker.model_validate_json(raw) for answer in await pipe.execute() for raw in answer]

    async def images_on(self, name: str) -> list[ImageOnWorker]:
        """List the images that a worker said it has."""
        told: Any = await self._redis.hvals(keys.worker_images(name))
        return [ImageOnWorker.model_validate_json(raw) for raw in told]

    async def update_images(
        self,
        name: str,
        known: Iterable[ImageOnWorker],
        images: Iterable[ImageOnWorker],
        gone: Collection[str],
        asked: float,
    ) -> list[ImageOnWorker]:
        """Say which images a worker has as well, or still, and the ids of those that it has no more.

        One that was known keeps its `since`. Returns all that the worker has.

        Args:
            name: the worker's.
            known: what `images_on` told of it.
            images: what its daemon has.
            gone: what it has no more.
            asked: when the daemon was asked (s).
        """
        changed, told = {image.id: image for image in images}, keys.worker_told(name)
        pipe = self._redis.pipeline(transaction=True)
        if ids := [*changed, *gone]:
            pipe.zadd(told, dict.fromkeys(ids, asked))
            pipe.expire(told, DAY)
        return await self._tell(pipe, name, known, changed, gone)

    async def replace_images(self, name: str, images: Iterable[ImageOnWorker], asked: float) -> list[ImageOnWorker]:
        """Say that these are all images that a worker had when its daemon was asked (s); returns all that it has.

        What was told of an image since then is newer, and stays.
        """
        known, listed = await self.images_on(name), {image.id: image for image in images}
        told = keys.worker_told(name)
        newer: set[str] = set(cast("list[str]", await self._redis.zrange(told, asked, "+inf", byscore=True)))
        gone = {image.id for image in known} - listed.keys() - newer
        pipe = self._redis.pipeline(transaction=True)
        pipe.zremrangebyscore(told, "-inf", asked - _TOLD)
        return await self._tell(pipe, name, known, {i: image for i, image in listed.items() if i not in newer}, gone)

    async def _tell(
        self,
        pipe: Pipeline,
        name: str,
        known: Iterable[ImageOnWorker],
        images: Mapping[str, ImageOnWorker],
        gone: Collection[str],
    ) -> list[ImageOnWorker]:
        before = {image.id: image for image in known}
        now = {
            i: image.model_copy(update={"since": before[i].since}) if i in before else image
            for i, image in images.items()
        }
        changed: dict[Any, Any] = {i: image.model_dump_json() for i, image in now.items() if image != before.get(i)}
        key = keys.worker_images(name)
        if changed:
            pipe.hset(key, mapping=changed)
        if gone:
            pipe.hdel(key, *gone)
        pipe.expire(key, DAY)
        await pipe.execute()
        return [image for i, image in (before | now).items() if i not in gone]

    async def use_images(self, name: str, made: Collection[str], used: Collection[str]) -> None:
        """Count images as a worker's own from now on, and those among `used` that are its own as used just now."""
        key, now = keys.worker_own(name), await self.now()
        pipe = self._redis.pipeline(transaction=True)
        if made:
            pipe.zadd(key, dict.fromkeys(made, now))
        if used:
            pipe.zadd(key, dict.fromkeys(used, now), xx=True)
        pipe.expire(key, OWN)
        await pipe.execute()

    async def own_images(self, name: str) -> dict[str, float]:
        """The images that a worker's jobs made or brought, least recently used first, and when that was (s)."""
        found: Any = await self._redis.zrange(keys.worker_own(name), 0, -1, withscores=True)
        return dict(found)

    async def disown_images(self, name: str, ids: Collection[str]) -> None:
        """Forget images that are gone."""
        if ids:
            await self._redis.zrem(keys.worker_own(name), *ids)

    async def now(self) -> float:
        """Seconds since the epoch, by Redis's clock."""
        seconds, micros = await self._redis.time()
        return float(seconds) + float(micros) / 1e6

    async def jobs_of(self, name: str) -> set[str]:
        """Ids of the jobs that a worker runs."""
        return set(cast("set[str]", await self._redis.smembers(keys.worker_jobs(name))))

    async def give_images(self, project: str, ids: Collection[str]) -> None:
        """Let a project see images; the oldest are forgotten beyond `MAX_IMAGES`."""
        seconds, _ = await self._redis.time()
        pipe = self._redis.pipeline(transaction=True)
        pipe.zadd(keys.images(project), dict.fromkeys(ids, float(seconds)))
        pipe.zremrangebyrank(keys.images(project), 0, -MAX_IMAGES - 1)
        await pipe.execute()

    async def images_of(self, project: str) -> set[str]:
        """Ids of the images that a project made or brought, whether a worker still has them or not."""
        return set(cast("list[str]", await self._redis.zrange(keys.images(project), 0, -1)))

    async def lead(self, name: str, seconds: float) -> bool:
        """Become, or stay, the one reaper for some seconds; False when another worker is."""
        if await self._redis.set(keys.REAPER, name, nx=True, px=int(seconds * 1000)):
            return True
        if await self._redis.get(keys.REAPER) != name:
            return False
        return bool(await self._redis.pexpire(keys.REAPER, int(seconds * 1000)))
