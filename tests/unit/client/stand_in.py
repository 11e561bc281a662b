"""A service for faults that the real one can't be made to show on demand: dropped connections, foreign answers.

It speaks HTTP through uvicorn on a port of its own. What it answers about jobs is scripted by the test.
"""

from __future__ import annotations

import asyncio
import io
import socket
import tarfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from shipway.models.event import Event, EventBody, StateChanged
from shipway.models.job import Job, JobState, Timings
from shipway.models.request import BuildRequest
from shipway.models.spec import BuildSpec, Kind

JOB = "01JOBJOBJOBJOBJOBJOBJOBJOB"
DIGEST = "sha256:" + "c" * 64
IMAGE = "sha256:" + "1" * 64
FINAL = [state for state in JobState if state.final]


class StandIn:
    """One job, the events it will have, and a record of what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.contexts: list[bytes] = []
        self.builds: list[tuple[str, dict[str, Any]]] = []
        self.cancelled = threading.Event()
        self.connected = threading.Event()
        self.asked_after: list[int] = []
        self.refusals: dict[str, list[Response]] = {}
        self.drops: list[int] = []
        self.hold = False
        self.tells = False
        self.log = ""
        self.result: dict[str, Any] = {}
        self._events: list[Event] = []

    def script(self, *bodies: EventBody, attempt: int = 1) -> None:
        """Append events; the first ones are there before anybody asks."""
        for body in bodies:
            seq = len(self._events) + 1
            self._events.append(Event(seq=seq, at=1000.0 + seq, attempt=attempt, body=body))

    def refuse(self, path: str, *answers: Response) -> None:
        """Give these answers to the next requests for a path."""
        self.refusals[path] = list(answers)

    @property
    def job(self) -> Job:
        """The job as its events tell it."""
        states = [e.body for e in self._events if isinstance(e.body, StateChanged)]
        state = JobState(states[-1].state) if states and not self.hold else JobState.RUNNING
        error = states[-1].error if states else None
        fields: dict[str, Any] = {
            "id": JOB,
            "project": "default",
            "kind": Kind.BUILD,
            "state": state,
            "spec": self._spec(),
            "timings": Timings(created=1000.0, started=1000.5, finished=1003.0 if state.final else None),
            "error": error if state.final else None,
            "events": 0 if self.hold else len(self._events),
        }
        return Job.model_validate(fields | self.result)

    def members(self, index: int = -1) -> list[str]:
        """Names in a received context."""
        with tarfile.open(fileobj=io.BytesIO(self.contexts[index])) as tar:
            return tar.getnames()

    def app(self) -> Starlette:
        """The routes."""
        return Starlette(
            routes=[
                Route("/v1/contexts", self._upload, methods=["POST"]),
                Route("/v1/packs/missing", self._no_packs, methods=["POST"]),
                Route("/v1/builds", self._build, methods=["POST"]),
                Route("/v1/jobs", self._list),
                Route("/v1/jobs/{id}", self._show),
                Route("/v1/jobs/{id}/log", self._log),
                Route("/v1/jobs/{id}/cancel", self._cancel, methods=["POST"]),
                Route("/v1/jobs/{id}/events", self._follow),
                Route("/v1/workers", self._workers),
            ]
        )

    def _spec(self) -> BuildSpec:
        if not self.builds:
            return BuildSpec(context=DIGEST)
        return BuildRequest.model_validate(self.builds[-1][1]).spec

    def _refusal(self, request: Request) -> Response | None:
        waiting = self.refusals.get(request.url.path)
        return waiting.pop(0) if waiting else None

    async def _upload(self, request: Request) -> Response:
        body = await request.body()
        if refusal := self._refusal(request):
            return refusal
        self.contexts.append(body)
        return JSONResponse({"digest": DIGEST, "entries": 1, "bytes": len(body)}, status_code=201)

    async def _no_packs(self, request: Request) -> Response:
        """As services answered before there were packs."""
        return self._refusal(request) or problem(404, "route-unknown", "Not Found")

    async def _build(self, request: Request) -> Response:
        wanted = await request.json()
        if wanted.get("context") not in (None, DIGEST):
            return problem(404, "context-unknown", "upload it again")
        self.builds.append((request.headers["idempotency-key"], wanted))
        if refusal := self._refusal(request):
            return refusal
        if self.tells and "text/event-stream" in request.headers["accept"]:
            limit = self.drops.pop(0) if self.drops else None
            return StreamingResponse(self._begun(limit), status_code=202, media_type="text/event-stream")
        return Response(self.job.model_dump_json(), status_code=202)

    async def _begun(self, limit: int | None) -> AsyncIterator[bytes]:
        record = self.job.model_copy(update={"state": JobState.QUEUED})
        yield f"event: job\ndata: {record.model_dump_json()}\n\n".encode()
        async for frame in self._sse(0, limit):
            yield frame
        yield f"event: job\ndata: {self.job.model_dump_json()}\n\n".encode()

    async def _list(self, request: Request) -> Response:
        wanted = request.query_params.get("state")
        jobs = [self.job.model_dump(mode="json")] if wanted in (None, self.job.state) else []
        return self._refusal(request) or JSONResponse({"jobs": jobs, "next": None})

    async def _show(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if request.path_params["id"] != JOB:
            return problem(404, "job-unknown", "there is no such job")
        return JSONResponse(self.job.model_dump(mode="json") | {"from_the_future": 1})

    async def _log(self, request: Request) -> Response:
        return PlainTextResponse(self.log)

    async def _cancel(self, request: Request) -> Response:
        self.cancelled.set()
        if not self.job.state.final:
            self.script(StateChanged(state="cancelled"))
            self.hold = False
        return Response(self.job.model_dump_json(), status_code=202)

    async def _workers(self, request: Request) -> Response:
        worker = {"name": "w1", "capacity": 2, "running": 1, "last_seen": time.time(), "platform": "linux/amd64"}
        return JSONResponse({"workers": [worker]})

    async def _follow(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        after = int(request.headers.get("last-event-id", 0))
        self.asked_after.append(after)
        self.connected.set()
        limit = self.drops.pop(0) if self.drops else None
        return StreamingResponse(self._sse(after, limit), media_type="text/event-stream")

    async def _sse(self, after: int, limit: int | None) -> AsyncIterator[bytes]:
        yield b": ping\n\n"
        for sent in range(len(self._events) + 1000):
            if sent == limit:
                raise ConnectionAbortedError  # uvicorn closes the connection in the middle of the body
            while len(self._events) <= after + sent or self.hold:  # noqa: ASYNC110  (the test's thread changes it)
                await asyncio.sleep(0.01)
            event = self._events[after + sent]
            frame = f"id: {event.seq}\nevent: {event.body.type}\ndata: {event.model_dump_json(exclude_none=True)}\n\n"
            yield frame.encode()
            if isinstance(event.body, StateChanged) and event.body.state in FINAL:
                return


def problem(status: int, slug: str, message: str, field: str | None = None) -> JSONResponse:
    """An error answer in the service's shape."""
    return JSONResponse({"error": {"slug": slug, "message": message, "field": field}}, status_code=status)


@contextmanager
def running_stand_in() -> Iterator[StandIn]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    stand_in = StandIn()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    stand_in.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        stand_in.app(), log_level="critical", timeout_graceful_shutdown=1, lifespan="off", http="h11"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield stand_in
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def wait_until(predicate: Any, limit: float = 10.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + limit
    while not predicate():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)
