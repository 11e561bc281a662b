"""The part of `AsyncClient` that sees, names and removes the images on workers, and lets workers rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shipway.client.answers import History, ImageList, WorkerList
from shipway.client.checking import validated
from shipway.client.connection import Connection
from shipway.client.paths import image_path, worker_path
from shipway.models.image import HistoryEntry, ImageDescription, ImageOnWorker
from shipway.models.job import Job
from shipway.models.request import TagRequest
from shipway.models.worker import Worker


class Images:
    """Asks about images on workers. An image is named by a reference or by its whole id (`sha256:…`).

    `worker` asks that worker; without it, any that has the image. Methods raise `NotFound` (`image-unknown`,
    `worker-unknown`) and `InvalidRequest` (`invalid-image-name`).
    """

    _connection: Connection

    async def images(self) -> tuple[ImageOnWorker, ...]:
        """List the images on all workers, one entry for each worker that has one."""
        return ImageList.model_validate_json((await self._connection.get("/v1/images")).content).images

    async def inspect(self, image: str, *, worker: str | None = None) -> ImageDescription:
        """Tell what a worker knows of an image, its history included."""
        answer = await self._connection.get(image_path(image), {"worker": worker})
        return ImageDescription.model_validate_json(answer.content)

    async def history(self, image: str, *, worker: str | None = None) -> tuple[HistoryEntry, ...]:
        """Tell how an image came about, newest line first."""
        answer = await self._connection.get(f"{image_path(image)}/history", {"worker": worker})
        return History.model_validate_json(answer.content).history

    async def tag(self, image: str, names: Sequence[str], *, worker: str | None = None) -> Job:
        """Give an image more names."""
        fields: dict[str, Any] = {"tags": names, "worker": worker}
        body = validated(TagRequest, fields).model_dump(mode="json", exclude_defaults=True)
        return Job.model_validate_json((await self._connection.post(f"{image_path(image)}/tags", json=body)).content)

    async def remove(self, image: str, *, worker: str | None = None, force: bool = False) -> Job:
        """Take a name (or, by its id, an image) off a worker; an image goes with its last name."""
        query = {"worker": worker, "force": "true" if force else None}
        return Job.model_validate_json((await self._connection.delete(image_path(image), query)).content)

    async def drain(self, worker: str) -> tuple[Worker, ...]:
        """Let a worker take no more jobs, within a few seconds; returns all workers."""
        return await self._workers_after(f"{worker_path(worker)}/drain")

    async def resume(self, worker: str) -> tuple[Worker, ...]:
        """Let a worker take jobs again, within a few seconds; returns all workers."""
        return await self._workers_after(f"{worker_path(worker)}/resume")

    async def _workers_after(self, path: str) -> tuple[Worker, ...]:
        return WorkerList.model_validate_json((await self._connection.post(path)).content).workers
