"""`shipway.client.moves` and `shipway.client.archives` for code without asyncio."""

from __future__ import annotations

from typing import Unpack

from shipway.client.aio import AsyncClient
from shipway.client.archives import Archive
from shipway.client.copies import Copies
from shipway.client.move_options import (
    CommitKeywords,
    ExportKeywords,
    ImportKeywords,
    LoadKeywords,
    PruneKeywords,
    PullKeywords,
    PushKeywords,
    SaveKeywords,
)
from shipway.client.moves import UploadedCopies
from shipway.client.portal import Portal
from shipway.client.transfer import OnProgress
from shipway.models.job import Job
from shipway.models.receipt import ArtifactReceipt


class SyncMoves:
    """`Moves` for code without asyncio: the same names, arguments and errors."""

    _client: AsyncClient
    _portal: Portal

    def upload_artifact(self, source: Archive, *, on_progress: OnProgress | None = None) -> ArtifactReceipt:
        """See `AsyncClient.upload_artifact`."""
        return self._portal.run(self._client.upload_artifact(source, on_progress=on_progress))

    def download_artifact(self, job_id: str, target: Archive, *, on_progress: OnProgress | None = None) -> str:
        """See `AsyncClient.download_artifact`."""
        return self._portal.run(self._client.download_artifact(job_id, target, on_progress=on_progress))

    def upload_copies(self, copies: Copies, *, on_progress: OnProgress | None = None) -> UploadedCopies:
        """See `AsyncClient.upload_copies`."""
        return self._portal.run(self._client.upload_copies(copies, on_progress=on_progress))

    def commit(
        self,
        *,
        copies: Copies | UploadedCopies = (),
        on_progress: OnProgress | None = None,
        **options: Unpack[CommitKeywords],
    ) -> Job:
        """See `AsyncClient.commit`."""
        return self._portal.run(self._client.commit(copies=copies, on_progress=on_progress, **options))

    def import_(
        self,
        source: Archive | ArtifactReceipt,
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[ImportKeywords],
    ) -> Job:
        """See `AsyncClient.import_`."""
        return self._portal.run(self._client.import_(source, on_progress=on_progress, **options))

    def load(
        self,
        source: Archive | ArtifactReceipt,
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[LoadKeywords],
    ) -> tuple[Job, ...]:
        """See `AsyncClient.load`."""
        return self._portal.run(self._client.load(source, on_progress=on_progress, **options))

    def save(self, *images: str, **options: Unpack[SaveKeywords]) -> Job:
        """See `AsyncClient.save`."""
        return self._portal.run(self._client.save(*images, **options))

    def export(self, **options: Unpack[ExportKeywords]) -> Job:
        """See `AsyncClient.export`."""
        return self._portal.run(self._client.export(**options))

    def push(self, image: str, **options: Unpack[PushKeywords]) -> Job:
        """See `AsyncClient.push`."""
        return self._portal.run(self._client.push(image, **options))

    def pull(self, image: str, **options: Unpack[PullKeywords]) -> tuple[Job, ...]:
        """See `AsyncClient.pull`."""
        return self._portal.run(self._client.pull(image, **options))

    def prune(self, **options: Unpack[PruneKeywords]) -> tuple[Job, ...]:
        """See `AsyncClient.prune`."""
        return self._portal.run(self._client.prune(**options))
