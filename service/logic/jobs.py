"""The rules for jobs: what is accepted, who sees it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable

from service.logic import audit, fleet, limits
from service.logic.access import check_rights
from service.logic.checks import checked
from service.logic.fleet import Choice
from service.logic.following import follow
from service.process import Process
from shipway.exceptions import Conflict, NotFound, Unavailable
from shipway.models.credentials import Credentials
from shipway.models.event import LogChunk, StateChanged, StepChanged, StepStatus
from shipway.models.job import Job, JobState, names_of
from shipway.models.spec import Kind, Spec
from shipway.models.token import Caller
from shipway.storage.jobs import Full
from shipway.storage.redis import reaching_redis
from shipway.telemetry import place

MAX_SCAN = 2000


async def submit(
    process: Process, caller: Caller, spec: Spec, credentials: Credentials, idempotency_key: str | None = None
) -> Job:
    """Accept a job: check what its spec names, write its record, then send the message.

    Raises:
        Forbidden: the caller may not push, or not use a repository that it names.
        NotFound: there is no such context, artifact, image or worker.
        InvalidRequest: it asks to push without a tag.
        Conflict: the idempotency key was used for another request.
        TooMany: the project has as many queued jobs as it may.
        Unavailable: Redis is away; nothing was accepted.
    """
    check_rights(caller, spec)
    spec = await checked(process, caller, spec)
    sealed = process.sealer.seal(credentials)
    mark = hashlib.sha256((spec.model_dump_json() + credentials.model_dump_json()).encode()).hexdigest()
    async with reaching_redis():
        try:
            job_id, job = await process.jobs.accept(
                caller.project, spec, sealed, (idempotency_key, mark) if idempotency_key else None, place.get()
            )
        except Full as full:
            raise limits.queue_full(process, caller.project) from full
        if job is None:
            job_id, _, before = job_id.partition(" ")
            if before != mark:
                raise Conflict(
                    "this Idempotency-Key was used for a different request",
                    slug="idempotency-mismatch",
                    field="Idempotency-Key",
                )
            return await find(process, caller.project, job_id)
    await asyncio.gather(process.queue.enqueue(job), audit.note(process, caller, f"{job.kind}.submit", job.id))
    return job


async def submit_to(
    process: Process, caller: Caller, specs: Callable[[str | None], Spec], workers: Choice, credentials: Credentials
) -> list[Job]:
    """Accept one job for each chosen worker.

    Raises:
        As `submit`, and NotFound when a worker is named that doesn't live.
    """
    names = await fleet.chosen(process, caller, workers)
    return [await submit(process, caller, specs(name), credentials) for name in names]


async def finished(process: Process, caller: Caller, job_id: str, limit: float) -> Job:
    """Wait for a short job to end.

    Raises:
        Unavailable: it did not end within `limit` seconds; it goes on.
    """
    try:
        async with asyncio.timeout(limit):
            async for _ in follow(process, caller, job_id, 0):
                pass
    except TimeoutError as fault:
        raise Unavailable(
            f"the worker has not come to it yet; see job {job_id}", slug="worker-busy", field="worker"
        ) from fault
    return await find(process, caller.project, job_id)


async def find(process: Process, project: str, job_id: str) -> Job:
    """Read a job of a project.

    Raises:
        NotFound: there is none of this id, or it belongs to another project.
    """
    async with reaching_redis():
        job = await process.jobs.get(job_id)
    if job is None or job.project != project:
        raise NotFound(f"there is no job {job_id[:64]!r}", slug="job-unknown", field="id")
    return job


async def page(
    process: Process,
    project: str,
    *,
    state: JobState | None,
    kind: Kind | None,
    text: str | None,
    before: str | None,
    limit: int,
) -> tuple[list[Job], str | None]:
    """List a project's jobs, newest first; returns the page and where the next one starts.

    With a text, only those in whose id, image names or worker it occurs.
    """
    found: list[Job] = []
    scanned = 0
    async with reaching_redis():
        while scanned < MAX_SCAN:
            jobs = await process.jobs.page(project, before, limit)
            for job in jobs:
                before = job.id
                if state in (None, job.state) and kind in (None, job.kind) and _mentions(job, text):
                    found.append(job)
                if len(found) == limit:
                    return found, before
            if len(jobs) < limit:
                return found, None
            scanned += len(jobs)
    return found, before


def _mentions(job: Job, text: str | None) -> bool:
    return not text or any(text.lower() in word.lower() for word in (job.id, job.worker or "", *names_of(job)))


async def cancel(process: Process, caller: Caller, job_id: str) -> Job:
    """Ask for a job to be cancelled; one that has ended stays as it is."""
    await find(process, caller.project, job_id)
    async with reaching_redis():
        job = await process.jobs.cancel(job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id[:64]!r}", slug="job-unknown", field="id")
    await audit.note(process, caller, "job.cancel", job_id)
    return job


async def log(process: Process, project: str, job_id: str) -> AsyncIterator[str]:
    """The log so far as text: what each step wrote, under a line that names the step."""
    names: dict[int | None, str] = {}
    current: int | None = None
    async for event in process.events.so_far(project, job_id):
        body = event.body
        if isinstance(body, StepChanged):
            names[body.step.number] = body.step.name
            if body.step.status is not StepStatus.RUNNING and not body.step.internal:
                current = None
                yield f"#{body.step.number} {body.step.name}: {body.step.status.upper()}\n"
        elif isinstance(body, LogChunk):
            if body.step != current:
                current = body.step
                yield f"#{current} {names.get(current, '')}\n"
            yield body.text
        elif isinstance(body, StateChanged):
            current = None
            yield f"-- {body.state}" + (f": {body.error.message}" if body.error else "") + "\n"
