"""The part of `AsyncClient` that moves archives between this machine and the service."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from shipway.client.connection import ATTEMPTS, Backoff, Connection, may_pass
from shipway.client.ground import Request
from shipway.client.paths import job_path
from shipway.client.transfer import OnProgress, archive_upload, counted, received, replacing
from shipway.exceptions import ShipwayError
from shipway.models.receipt import ArtifactReceipt

Archive = str | Path | BinaryIO
"""A file, or an open binary stream."""

PATIENCE = 600.0
"""Seconds that the service may be silent: after an upload it stores what came, before a download it fetches it."""


class Archives:
    """Uploads what `load` and `import_` take, downloads what `save` and `export` made."""

    _connection: Connection

    async def upload_artifact(self, source: Archive, *, on_progress: OnProgress | None = None) -> ArtifactReceipt:
        """Send an archive as it is; a load or an import names it by the id in the receipt.

        Raises:
            ClientError: it can't be read (`archive-missing`).
            InvalidRequest: it is empty (`archive-invalid`).
            TooLarge: it passes the service's limit (`artifact-too-large`).
        """
        upload = archive_upload(source)
        answer = await self._connection.upload(
            "/v1/artifacts",
            lambda: counted(self._connection.ground, upload, on_progress),
            patience=PATIENCE,
            replayable=upload.replayable,
        )
        return ArtifactReceipt.model_validate_json(answer.content)

    async def download_artifact(self, job_id: str, target: Archive, *, on_progress: OnProgress | None = None) -> str:
        """Fetch the archive that a save or an export job made, and check its length and digest.

        A file is there only once it is whole: it is written under another name beside it, and then takes its place.

        Args:
            job_id: the job that made it.
            target: a file, or an open binary stream.
            on_progress: told how far the download is.

        Returns:
            The archive's digest, `sha256:…`.

        Raises:
            NotFound: the job made none (`artifact-unknown`), or it has expired (`artifact-expired`).
            ClientError: `archive-damaged`, `output-unwritable`.
        """
        path = f"{job_path(job_id)}/artifact"
        if not isinstance(target, str | Path):
            return await self._fetch(path, target, on_progress)
        with replacing(Path(target)) as file:
            return await self._fetch_again(path, file, on_progress)

    async def _fetch_again(self, path: str, file: BinaryIO, on_progress: OnProgress | None) -> str:
        """Fetch into a file; a connection that breaks costs another try, from the start."""
        backoff = Backoff(self._connection.ground)
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._fetch(path, file, on_progress)
            except ShipwayError as fault:
                if not may_pass(fault) or not file.seekable():
                    raise
            await backoff.pause()
            file.seek(0)
            file.truncate()
        return await self._fetch(path, file, on_progress)

    async def _fetch(self, path: str, out: BinaryIO, on_progress: OnProgress | None) -> str:
        request = Request("GET", path, {"Accept-Encoding": "identity"}, patience=PATIENCE)
        answer = await self._connection.open(request)
        try:
            return await received(answer, out, on_progress)
        finally:
            await answer.close()
