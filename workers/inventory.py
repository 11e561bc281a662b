"""Tells the others which images this worker's daemon has."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime

from redis.asyncio import Redis

from shipway.exceptions import BuildUserError
from shipway.models.image import ImageDescription, ImageOnWorker
from shipway.models.job import Job, names_of
from shipway.models.spec import Kind
from shipway.storage.workers import WorkerRegistry
from workers.engine import Engine, ImageSummary

BRINGING = frozenset({Kind.BUILD, Kind.COMMIT, Kind.IMPORT, Kind.LOAD, Kind.PULL})
"""Jobs that bring images onto their worker, which their project may see from then on."""


def _names_in(job: Job) -> set[str]:
    """Ids and names of the images that a job made, brought, names or builds upon."""
    return {*job.result.images, *names_of(job), *job.result.bases.values(), job.result.image_id or ""} - {""}


def _goes_by(image: ImageOnWorker, names: Collection[str]) -> bool:
    return not {image.id, *image.tags, *image.digests}.isdisjoint(names)


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
        """Ask the daemon for all its images, which may take long, and write them down; returns them."""
        # Before the daemon is asked: what it has then was there before any job that starts after this.
        now = await self._now()
        images = [self._here(image, image.created, now) for image in await self._engine.images.list()]
        return await self._registry.replace_images(self._worker, images, now)

    async def take_in(self, job: Job) -> None:
        """Write down what a job has done to the daemon's images, who may see them, and that they were used."""
        images = await (self.refresh() if job.kind is Kind.PRUNE else self.look_at(_names_in(job)))
        await asyncio.gather(self._give(job, images), self._note_use(job, images))

    async def look_at(self, names: Collection[str]) -> list[ImageOnWorker]:
        """Ask the daemon for the images that go, or went, by some ids and names, and write down what became of them.

        It costs the same however many others there are. Returns all that the daemon has, as far as is known.
        """
        known, now = await asyncio.gather(self._registry.images_on(self._worker), self._now())
        named = {image.id for image in known if _goes_by(image, names)}
        looked_at = await asyncio.gather(*(self._look_at(name, now) for name in {*named, *names}))
        found = [image for image in looked_at if image is not None]
        gone = named - {image.id for image in found}
        return await self._registry.update_images(self._worker, known, found, gone, now)

    async def _look_at(self, name: str, now: float) -> ImageOnWorker | None:
        try:
            image = await self._engine.images.inspect(name)
        except BuildUserError:  # it is gone, or the name of something else
            return None
        created = int(datetime.fromisoformat(image.created).timestamp()) if image.created else 0
        return self._here(image, created, now)

    def _here(self, image: ImageSummary | ImageDescription, created: int, since: float) -> ImageOnWorker:
        return ImageOnWorker(
            worker=self._worker,
            id=image.id,
            tags=image.tags,
            digests=image.digests,
            created=created,
            since=since,
            size=image.size,
        )

    async def _now(self) -> float:
        return int(await self._registry.now() * 1000) / 1000  # to the millisecond, as the times of jobs

    async def _give(self, job: Job, images: Iterable[ImageOnWorker]) -> None:
        """Let a job's project see the images that it brought."""
        names = {job.result.image_id or "", *job.result.images, *getattr(job.spec, "tags", ())}
        ids = [image.id for image in images if _goes_by(image, names)]
        if job.kind in BRINGING and ids:
            await self._registry.give_images(job.project, ids)

    async def _note_use(self, job: Job, images: Iterable[ImageOnWorker]) -> None:
        """Remember when which of this worker's own images were used last.

        Its own are those that a job made or brought here and that were not here before.
        """
        named = _names_in(job)
        used = [image for image in images if _goes_by(image, named)]
        made = [i.id for i in used if job.kind in BRINGING and i.since > (job.timings.started or 0)]
        await self._registry.use_images(self._worker, made, [image.id for image in used])
