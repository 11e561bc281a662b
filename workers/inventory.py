"""Tells the others which images this worker's daemon has."""

from __future__ import annotations

from redis.asyncio import Redis

from shipway.models.image import ImageOnWorker
from shipway.storage.workers import WorkerRegistry
from workers.engine import Engine


class Inventory:
    """The images of one worker's daemon, as every other part sees them."""

    def __init__(self, redis: Redis, worker: str, engine: Engine) -> None:
        self._redis = redis
        self._worker = worker
        self._engine = engine

    async def refresh(self) -> None:
        """Ask the daemon and write down what it has."""
        seconds, _ = await self._redis.time()
        images = [
            ImageOnWorker(
                worker=self._worker,
                id=image.id,
                tags=tuple(image.tags),
                digests=tuple(image.digests),
                created=image.created,
                since=float(seconds),
                size=image.size,
            )
            for image in await self._engine.images.list()
        ]
        await WorkerRegistry(self._redis).replace_images(self._worker, images)
