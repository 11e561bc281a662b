"""The part of `AsyncClient` that makes images in other ways than a build, and moves them."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple, Unpack

from shipway.client.answers import JobSet
from shipway.client.archives import Archive, Archives
from shipway.client.checking import check_push, validated
from shipway.client.copies import Copies, copies_upload
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
from shipway.client.threads import call_in_thread
from shipway.client.transfer import OnProgress
from shipway.client.wire import Wire
from shipway.context.url import is_remote
from shipway.models.job import Job
from shipway.models.receipt import ArtifactReceipt
from shipway.models.request import (
    CommitRequest,
    ExportRequest,
    ImportRequest,
    LoadRequest,
    PruneRequest,
    PullRequest,
    PushRequest,
    SaveRequest,
    Strict,
)

_SOME_ARTIFACT = "0" * 26
_SOME_CONTEXT = "sha256:" + "0" * 64


class UploadedCopies(NamedTuple):
    """Files that a commit is to copy, once they are sent: the context they lie in, and the pairs of paths."""

    context: str
    copies: tuple[tuple[str, str], ...]


class Moves(Archives):
    """Starts jobs. Each method returns as soon as the service has accepted its job (or jobs).

    Every method raises `InvalidRequest` when an option is wrong, before anything is sent, and `NotFound` when there
    is no such image, worker or archive.
    """

    wire: Wire

    async def upload_copies(self, copies: Copies, *, on_progress: OnProgress | None = None) -> UploadedCopies:
        """Send the local files that a commit is to copy; nothing runs yet.

        Raises:
            ClientError: there is no such file (`copy-source-missing`).
            ContextError: a file can't be read or can't be sent.
        """
        upload, inside = await call_in_thread(lambda: copies_upload(copies))
        return UploadedCopies((await self.wire.send(upload, on_progress))["digest"], inside)

    async def commit(
        self,
        *,
        copies: Copies | UploadedCopies = (),
        on_progress: OnProgress | None = None,
        **options: Unpack[CommitKeywords],
    ) -> Job:
        """Make an image of a container: one started from `image` and changed, or one that a worker has.

        Args:
            copies: local files and directories to copy into the container before the commands in `run`.
            on_progress: told how far the upload of `copies` is.
            **options: see `CommitKeywords`.
        """
        fields: dict[str, Any] = dict(options)
        if not isinstance(copies, UploadedCopies) and copies:
            check_commit(options, copies)
            copies = await self.upload_copies(copies, on_progress=on_progress)
        if isinstance(copies, UploadedCopies):
            fields |= {"context": copies.context, "copies": copies.copies}
        return await self._start("/v1/commits", validated(CommitRequest, fields))

    async def import_(
        self,
        source: Archive | ArtifactReceipt,
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[ImportKeywords],
    ) -> Job:
        """Make an image, without history, of a filesystem's tar.

        Args:
            source: a file, an open stream, what is at a URL, or an archive that is already uploaded.
            on_progress: told how far the upload is.
            **options: see `ImportKeywords`.
        """
        fields: dict[str, Any] = dict(options)
        if isinstance(source, str) and is_remote(source):
            fields["remote"] = source
        else:
            check_import(options)
            fields["artifact"] = await self._uploaded(source, on_progress)
        return await self._start("/v1/imports", validated(ImportRequest, fields))

    async def load(
        self,
        source: Archive | ArtifactReceipt,
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[LoadKeywords],
    ) -> tuple[Job, ...]:
        """Load an archive of images, made by `save` or `docker save`, into the chosen workers: one job for each.

        Args:
            source: a file, an open stream, or an archive that is already uploaded.
            on_progress: told how far the upload is.
            **options: see `LoadKeywords`.
        """
        check_load(options)
        artifact = await self._uploaded(source, on_progress)
        return await self._start_set("/v1/loads", validated(LoadRequest, {**options, "artifact": artifact}))

    async def save(self, *images: str, **options: Unpack[SaveKeywords]) -> Job:
        """Write images to one archive; `download_artifact` fetches it once the job has succeeded."""
        return await self._start("/v1/saves", validated(SaveRequest, {**options, "images": images}))

    async def export(self, **options: Unpack[ExportKeywords]) -> Job:
        """Write the filesystem of an image or a container to a tar, for `download_artifact`."""
        return await self._start("/v1/exports", validated(ExportRequest, dict(options)))

    async def push(self, image: str, **options: Unpack[PushKeywords]) -> Job:
        """Push an image that a worker has, by its own name or by `tags`; each name has its own result."""
        return await self._start("/v1/pushes", validated(PushRequest, {**options, "image": image}))

    async def pull(self, image: str, **options: Unpack[PullKeywords]) -> tuple[Job, ...]:
        """Pull an image onto the chosen workers: one job for each, at the same time."""
        return await self._start_set("/v1/pulls", validated(PullRequest, {**options, "image": image}))

    async def prune(self, **options: Unpack[PruneKeywords]) -> tuple[Job, ...]:
        """Free what the caches of the chosen workers hold (of all by default), down to `keep_bytes` on each."""
        return await self._start_set("/v1/prunes", validated(PruneRequest, dict(options)))

    async def _uploaded(self, source: Archive | ArtifactReceipt, on_progress: OnProgress | None) -> str:
        if isinstance(source, ArtifactReceipt):
            return source.artifact
        return (await self.upload_artifact(source, on_progress=on_progress)).artifact

    async def _start(self, path: str, request: Strict) -> Job:
        return Job.model_validate_json(await self._post(path, request))

    async def _start_set(self, path: str, request: Strict) -> tuple[Job, ...]:
        return JobSet.model_validate_json(await self._post(path, request)).jobs

    async def _post(self, path: str, request: Strict) -> bytes:
        """Send a request; under one key, so that sending it again starts no second job."""
        body = request.model_dump(mode="json", exclude_defaults=True)
        answer = await self._connection.post(path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        return answer.content


def check_commit(options: CommitKeywords, copies: Copies) -> None:
    """Raise InvalidRequest for what is wrong with the options, before anything is sent."""
    told = {"copies": [(str(source), path) for source, path in copies], "context": _SOME_CONTEXT} if copies else {}
    check_push(validated(CommitRequest, {**options, **told}))


def check_import(options: ImportKeywords) -> None:
    """Raise InvalidRequest for what is wrong with the options, before anything is sent."""
    check_push(validated(ImportRequest, {**options, "artifact": _SOME_ARTIFACT}))


def check_load(options: LoadKeywords) -> None:
    """Raise InvalidRequest for what is wrong with the options, before anything is sent."""
    validated(LoadRequest, {**options, "artifact": _SOME_ARTIFACT})
