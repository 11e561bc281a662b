"""Tells the others which images this worker's daemon has."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from redis.asyncio import Redis

from shipway.models.image import ImageOnWorker
from shipway.models.job import Job, names_of
from shipway.models.spec import Kind
from shipway.storage.workers import WorkerRegistry
from workers.engine import Engine

BRINGING = frozenset({Kind.BUILD, Kind.COMMIT, Kind.IMPORT, Kind.LOAD, Kind.PULL})
"""Jobs that bring images onto their worker, which their project may see from then on."""


class Inventory:
    """The images of one worker's daemon, as every other part sees them."""

    def __init__(self, redis: Redis, worker: str, engine: Engine) -> None:
        self._registry = WorkerRegistry(redis)
        self._worker = worker
        self._engine = engine
        self._begun = False

    async def begin(self) -> None:
        """Take stock before the first job, once: what is there then, no job has brought.

        Raises:
            BuildSystemError: the daemon does not answer.
        """
        if not self._begun:
            await self.refresh()
            self._begun = True

    async def refresh(self) -> list[ImageOnWorker]:
        """Ask the daemon and write down what it has; returns that."""
        # Before the daemon is asked: what it has then was there before any job that starts after this.
        now = int(await self._registry.now() * 1000) / 1000  # to the millisecond, as the times of jobs
        images = [
            ImageOnWorker(
                worker=self._worker,
                id=image.id,
                tags=tuple(image.tags),
                digests=tuple(image.digests),
                created=image.created,
                since=now,
                size=image.size,
            )
            for image in await self._engine.images.list()
        ]
        return await self._registry.replace_images(self._worker, images)

    async def give(self, project: str, images: Iterable[ImageOnWorker], names: Collection[str]) -> None:
        """Let a project see those of the images that go by one of these ids or names."""
        ids = [image.id for image in images if not {image.id, *image.tags}.isdisjoint(names)]
        if ids:
            await self._registry.give_images(project, ids)

    async def note_use(self, job: Job, images: Iterable[ImageOnWorker]) -> None:
        """Remember when which of this worker's own images were used last.

        Its own are those that a job made or brought here and that were not here before.
        """
        named = {job.result.image_id or "", *job.result.images, *names_of(job), *job.result.bases.values()}
        used = [image for image in images if not {image.id, *image.tags}.isdisjoint(named)]
        made = [i.id for i in used if job.kind in BRINGING and i.since > (job.timings.started or 0)]
        await self._registry.use_images(self._worker, made, [image.id for image in used])
