"""Keeps a daemon's build cache, and the images that Shipway made, within limits; other images are never touched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shipway.exceptions import JobError, ShipwayError
from shipway.models.job import names_of
from shipway.storage.jobs import JobStore
from shipway.storage.workers import WorkerRegistry
from workers import metrics
from workers.engine import DiskUsage, Engine
from workers.settings import WorkerSettings

log = structlog.get_logger(__name__)


class Excess(NamedTuple):
    """How many bytes have to go, and for which limit: `limit` or `floor`."""

    bytes: int
    reason: str


class DiskKeeper:
    """Looks at the daemon's disk every so often.

    What goes first is what was used last the longest ago: images that nobody used for a while, then build cache, of
    which the daemon itself knows the order and what running builds hold.

    Args:
        settings: the limits.
        redis: knows which images are this worker's own.
        free: tells how many bytes are free on the daemon's disk; None where that can't be seen.

    Attributes:
        usage: what it saw last; None before the first look.
    """

    def __init__(self, settings: WorkerSettings, redis: Redis, free: Callable[[], int | None]) -> None:
        self._settings = settings
        self._jobs = JobStore(redis, settings)
        self._registry = WorkerRegistry(redis)
        self._free = free
        self.usage: DiskUsage | None = None

    async def run(self) -> None:
        """Look for ever; a look that fails is followed by the next one."""
        while True:
            try:
                async with Engine(self._settings.docker_host) as engine:
                    await self.look(engine)
            except (ShipwayError, RedisError, OSError) as fault:
                log.warning("can't look after the daemon's disk", fault=repr(fault))
            except Exception:
                log.exception("the disk's keeper stumbled")
            await asyncio.sleep(self._settings.worker_disk_interval)

    async def look(self, engine: Engine) -> None:
        """Measure, and free what is too much."""
        # Asked before the daemon is: what a job brings while it measures is not gone.
        said = await self._registry.own_images(self._settings.worker_name)
        usage = await self._measured(engine)
        own = await self._still_there(said, usage)
        excess = self._excess(usage, own)
        if excess.bytes <= 0:
            return
        await self._free_images(engine, own, excess.bytes)
        # The layers of an image that is gone may still be build cache: only now is it known what came free.
        after = await self._measured(engine)
        freed = max(0, usage.total - after.total)
        left = excess.bytes - freed
        cache = await engine.images.prune_cache(max(0, after.cache - left)) if left > 0 else 0
        for what, count in (("images", freed), ("cache", cache)):
            metrics.FREED.labels(what, excess.reason).inc(count)
        log.info("freed disk", reason=excess.reason, wanted=excess.bytes, images=freed, cache=cache)

    async def _measured(self, engine: Engine) -> DiskUsage:
        self.usage = usage = await engine.images.usage()
        metrics.DAEMON_CACHE.set(usage.cache)
        metrics.DAEMON_IMAGES.set(usage.layers)
        return usage

    async def _still_there(self, own: dict[str, float], usage: DiskUsage) -> dict[str, float]:
        await self._registry.disown_images(self._settings.worker_name, own.keys() - usage.images.keys())
        return {image: used for image, used in own.items() if image in usage.images}

    def _excess(self, usage: DiskUsage, own: dict[str, float]) -> Excess:
        limit, floor, free = self._settings.worker_max_disk_bytes, self._settings.worker_keep_free_bytes, self._free()
        over = usage.cache + sum(usage.images[image] for image in own) - limit if limit else 0
        short = floor - free if floor and free is not None else 0
        return Excess(short, "floor") if short > over else Excess(over, "limit")

    async def _free_images(self, engine: Engine, own: dict[str, float], wanted: int) -> None:
        """Remove own images that are at rest, until so many bytes belong to images no more."""
        before = after = (await engine.images.usage()).layers
        kept = await self._named_by_running_jobs()
        for image in await self._at_rest(own):
            if before - after >= wanted:
                break
            if await _removed(engine, image, kept):
                after = (await engine.images.usage()).layers

    async def _at_rest(self, own: dict[str, float]) -> list[str]:
        now = await self._registry.now()
        return [image for image, used in own.items() if now - used >= self._settings.worker_image_rest]

    async def _named_by_running_jobs(self) -> set[str]:
        """Ids and names of images that running jobs speak of; what they build upon is held by the daemon."""
        ids = await self._registry.jobs_of(self._settings.worker_name)
        jobs = [job for job in [await self._jobs.get(job_id) for job_id in ids] if job is not None]
        return {name for job in jobs for name in (job.result.image_id, *names_of(job)) if name}


async def _removed(engine: Engine, image: str, kept: set[str]) -> bool:
    """Remove an image with all its names, unless it is wanted or a container uses it; tell whether it is gone."""
    try:
        tags = (await engine.images.inspect(image)).tags
        if not kept.isdisjoint({image, *tags}):
            return False
        for tag in tags:
            await engine.images.untag(tag)
        if await engine.images.exists(image):
            await engine.images.remove(image)
    except JobError as fault:
        log.info("leaves an image", image=image, fault=fault.message)
        return False
    return True
