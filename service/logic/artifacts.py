"""Archives on their way in and out; streamed, never whole in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ulid import ULID

from service.logic import audit
from service.logic.contexts import gathered
from service.process import Process
from shipway.exceptions import InvalidRequest, NotFound, TooLarge
from shipway.models.job import Artifact, Job
from shipway.models.receipt import ArtifactReceipt
from shipway.models.token import Caller
from shipway.storage.redis import reaching_redis


async def take(process: Process, caller: Caller, body: AsyncIterator[bytes]) -> ArtifactReceipt:
    """Store an archive for a load or an import.

    Raises:
        InvalidRequest: it is empty.
        TooLarge: it passes the limit.
    """
    most = process.settings.limits_of(caller.project).max_artifact_bytes
    blob, size = str(ULID()), 0
    async with process.blobs.storing(caller.project, blob) as writer:
        async for chunk in gathered(body):
            size += len(chunk)
            if size > most:
                raise TooLarge(f"an archive has at most {most} bytes", slug="artifact-too-large")
            await writer.write(chunk)
        if not size:
            raise InvalidRequest("the archive is empty", slug="archive-invalid")
    async with reaching_redis():
        await process.blobs.keep(caller.project, blob, process.settings.retention)
    await audit.note(process, caller, "artifact.send", blob)
    return ArtifactReceipt(artifact=blob, bytes=size)


async def give(process: Process, job: Job) -> tuple[Artifact, AsyncIterator[bytes]]:
    """Open the archive that a job made.

    Raises:
        NotFound: it made none (yet), or it has expired.
    """
    artifact = job.result.artifact
    if artifact is None:
        raise NotFound(f"job {job.id} has no archive (yet)", slug="artifact-unknown", field="id")
    if await process.blobs.size(job.project, artifact.blob) is None:
        raise NotFound(f"the archive of job {job.id} has expired", slug="artifact-expired", field="id")
    return artifact, process.blobs.read(job.project, artifact.blob)
