"""See, follow and cancel jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse

from service.errors import documented
from service.handlers.parameters import Builder, JobId, Number, OnProcess, Reader
from service.logic import artifacts, jobs
from service.logic.following import follow
from service.process import Process
from shipway.exceptions import Unavailable
from shipway.models.job import Job, JobState
from shipway.models.spec import Kind
from shipway.models.token import Caller

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MAX_NUMBER = 2**63 - 1
"""Highest number an event could have: what Redis takes."""


SENT_EVENT = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
}
"""One event of a stream, as its reader gets it: `data` is an `Event` as JSON."""


class JobPage(BaseModel):
    """Some jobs, newest first."""

    jobs: list[Job]
    next: str | None = Field(None, description="pass as `before` to get the next page; null at the end")


@router.get("", summary="List jobs, newest first", responses=documented(422))
async def list_jobs(
    process: OnProcess,
    caller: Reader,
    state: Annotated[JobState | None, Query(description="only jobs in this state")] = None,
    kind: Annotated[Kind | None, Query(description="only jobs of this kind")] = None,
    text: Annotated[str | None, Query(max_length=256, description="only jobs whose id, image or worker has it")] = None,
    before: Annotated[str | None, Query(max_length=64, description="only jobs older than this one")] = None,
    limit: Annotated[Number, Query(ge=1, le=200)] = 50,
) -> JobPage:
    found, following = await jobs.page(
        process, caller.project, state=state, kind=kind, text=text, before=before, limit=limit
    )
    return JobPage(jobs=found, next=following)


@router.get("/{id}", summary="Show a job", responses=documented(404, 422))
async def show(id: JobId, process: OnProcess, caller: Reader) -> Job:  # noqa: A002  (the route's own word)
    return await jobs.find(process, caller.project, id)


@router.post("/{id}/cancel", status_code=202, summary="Cancel a job", responses=documented(404, 422))
async def cancel(id: JobId, process: OnProcess, caller: Builder) -> Job:  # noqa: A002
    return await jobs.cancel(process, caller, id)


@router.get(
    "/{id}/log",
    summary="The log so far, as text",
    response_class=PlainTextResponse,
    responses=documented(404, 422) | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def log(id: JobId, process: OnProcess, caller: Reader) -> StreamingResponse:  # noqa: A002
    await jobs.find(process, caller.project, id)
    return StreamingResponse(jobs.log(process, caller.project, id), media_type="text/plain; charset=utf-8")


@router.get(
    "/{id}/artifact",
    summary="Download the archive that a save or export job made",
    response_class=StreamingResponse,
    responses=documented(404, 422) | {200: {"content": {"application/octet-stream": {"schema": {"type": "string"}}}}},
)
async def artifact(id: JobId, process: OnProcess, caller: Reader) -> StreamingResponse:  # noqa: A002
    made, chunks = await artifacts.give(process, await jobs.find(process, caller.project, id))
    headers = {
        "Content-Length": str(made.bytes),
        "Content-Disposition": f'attachment; filename="{made.name}"',
        "Digest": made.digest,
    }
    return StreamingResponse(chunks, media_type="application/octet-stream", headers=headers)


@router.get(
    "/{id}/events",
    summary="Follow a job's events",
    description="Server-sent events: `id` is the event's number, `event` its type, `data` the event as JSON. "
    "Begins after the number in `Last-Event-ID` (or `from`), with what already happened, goes on live, and ends "
    "after the event that ends the job.",
    response_class=EventSourceResponse,
    responses=documented(404, 422) | {200: {"content": {"text/event-stream": {"schema": SENT_EVENT}}}},
)
async def events(
    id: JobId,  # noqa: A002
    process: OnProcess,
    caller: Reader,
    last_event_id: Annotated[
        Number | None, Header(ge=0, le=MAX_NUMBER, description="number of the last event seen")
    ] = None,
    from_: Annotated[
        Number | None, Query(alias="from", ge=0, le=MAX_NUMBER, description="the same, as a parameter")
    ] = None,
) -> EventSourceResponse:
    await jobs.find(process, caller.project, id)
    after = last_event_id if last_event_id is not None else from_ or 0
    return streamed(_sse(process, caller, id, after))


async def begun(process: Process, caller: Caller, job: Job) -> AsyncIterator[bytes]:
    """All there is to tell of a job that was accepted just now: its record, its events, at the end its record again."""
    yield _record(job)
    with suppress(Unavailable):
        async for portion in follow(process, caller, job.id, 0, new=job.events <= 1):
            yield _messages(portion)
            if portion[-1].last:  # not after the loop: it may end because the caller may hear no more
                yield _record(await jobs.find(process, caller.project, job.id))


def streamed(messages: AsyncIterator[bytes], *, status: int = 200) -> EventSourceResponse:
    """An answer of messages as they come."""
    return EventSourceResponse(messages, status_code=status, ping=10, send_timeout=60)


async def _sse(process: Process, caller: Caller, job_id: str, after: int) -> AsyncIterator[bytes]:
    """The stream; it ends early when a part is away, and the client comes again with the number it has reached."""
    with suppress(Unavailable):
        async for portion in follow(process, caller, job_id, after):
            yield _messages(portion)


def _messages(portion: Iterable[Any]) -> bytes:
    return b"".join(b"id: %d\r\nevent: %s\r\ndata: %s\r\n\r\n" % (e.seq, e.type.encode(), e.json) for e in portion)


def _record(job: Job) -> bytes:
    """A message without a number: it is no event."""
    return b"event: job\r\ndata: %s\r\n\r\n" % job.model_dump_json().encode()
