"""`shipway.client.images` for code without asyncio."""

from __future__ import annotations

from collections.abc import Sequence

from shipway.client.aio import AsyncClient
from shipway.client.portal import Portal
from shipway.models.image import HistoryEntry, ImageDescription, ImageOnWorker
from shipway.models.job import Job
from shipway.models.worker import Worker


class SyncImages:
    """`Images` for code without asyncio: the same names, arguments and errors."""

    _client: AsyncClient
    _portal: Portal

    def images(self) -> tuple[ImageOnWorker, ...]:
        """See `AsyncClient.images`."""
        return self._portal.run(self._client.images())

    def inspect(self, image: str, *, worker: str | None = None) -> ImageDescription:
        """See `AsyncClient.inspect`."""
        return self._portal.run(self._client.inspect(image, worker=worker))

    def history(self, image: str, *, worker: str | None = None) -> tuple[HistoryEntry, ...]:
        """See `AsyncClient.history`."""
        return self._portal.run(self._client.history(image, worker=worker))

    def tag(self, image: str, names: Sequence[str], *, worker: str | None = None) -> Job:
        """See `AsyncClient.tag`."""
        return self._portal.run(self._client.tag(image, names, worker=worker))

    def remove(self, image: str, *, worker: str | None = None, force: bool = False) -> Job:
        """See `AsyncClient.remove`."""
        return self._portal.run(self._client.remove(image, worker=worker, force=force))

    def drain(self, worker: str) -> tuple[Worker, ...]:
        """See `AsyncClient.drain`."""
        return self._portal.run(self._client.drain(worker))

    def resume(self, worker: str) -> tuple[Worker, ...]:
        """See `AsyncClient.resume`."""
        return self._portal.run(self._client.resume(worker))
