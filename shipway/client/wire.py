"""What starting and following a job takes, as JSON: under `AsyncClient`, which makes models of it, and `shipway build`.

Nothing that this imports loads Pydantic: checking what the service itself has checked costs more than asking for it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from shipway.client.connection import Connection
from shipway.client.following import FOLLOWING, SILENCE, Batches, Follower, batches, read_record
from shipway.client.ground import Answer
from shipway.client.options import BuildKeywords, build_fields
from shipway.client.paths import job_path
from shipway.client.sse import ServerSentEvent
from shipway.client.statcache import Tree
from shipway.client.told import Told
from shipway.client.transfer import OnProgress, OnSpared, counted
from shipway.client.upload import DOCKERFILE, Dockerfile, DockerfileSource, LocalContext, Upload, prepare_named
from shipway.context.limits import KIB
from shipway.context.url import is_local
from shipway.exceptions import ClientError, RequestError, ShipwayError

if TYPE_CHECKING:
    from shipway.models.job import Job

WHOLE = 128 * KIB
"""Bytes of files up to which a directory is sent whole: one request takes less time than asking what is missing."""
NO_ROUTE = frozenset({"route-unknown", "method-not-allowed"})
"""What services answer that are older than packs."""
INDEXING_PATIENCE = 600.0
"""Seconds the service may take over a context once it has arrived."""


class Wire:
    """One service, and what is said over a connection to it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def send(
        self, upload: Upload, on_progress: OnProgress | None = None, on_spared: OnSpared | None = None
    ) -> dict[str, Any]:
        """Send a context, or of a directory what the service has not got; returns its receipt."""
        if upload.tree is not None and upload.tree.size > WHOLE:
            try:
                return await self._send_changes(upload.tree, on_progress, on_spared)
            except RequestError as fault:
                if fault.slug not in NO_ROUTE:
                    raise
        answer = await self.connection.upload(
            "/v1/contexts",
            lambda: counted(self.connection.ground, upload, on_progress),
            patience=INDEXING_PATIENCE,
            replayable=upload.replayable,
        )
        return self._told(answer)

    async def _send_changes(
        self, tree: Tree, on_progress: OnProgress | None, on_spared: OnSpared | None
    ) -> dict[str, Any]:
        # Loaded late: most commands send no directory, or a small one.
        from shipway.client.incremental import Sending  # noqa: PLC0415

        return await Sending(self.connection, tree, on_progress, on_spared).run()

    async def upload_for_build(
        self,
        context: LocalContext | str,
        dockerfile: Dockerfile | None,
        options: BuildKeywords,
        on_progress: OnProgress | None = None,
        on_spared: OnSpared | None = None,
    ) -> dict[str, Any]:
        """Send what a build needs; returns the request that `submit` takes. Nothing runs yet.

        Args:
            context: files of this machine, or the URL of what the worker fetches.
            dockerfile: for a URL: a path inside what is there, or a Dockerfile from here.
            options: see `BuildKeywords`.
            on_progress: told how far the upload of the context is.
            on_spared: told how many bytes of the context the service has already.
        """
        options = {**options, "build_contexts": await self._named(options.get("build_contexts", {}))}
        if isinstance(context, str):
            if isinstance(dockerfile, DockerfileSource):
                apart = (await self.send(dockerfile.upload()))["digest"]
                return build_fields(None, dockerfile.name, apart, options, remote=context)
            return build_fields(None, str(dockerfile or DOCKERFILE), None, options, remote=context)
        apart = (await self.send(context.outside.upload()))["digest"] if context.outside else None
        receipt = await self.send(context.upload, on_progress, on_spared)
        return build_fields(receipt["digest"], context.dockerfile, apart, options)

    async def as_before(self, context: LocalContext | str, options: BuildKeywords) -> tuple[dict[str, Any], int] | None:
        """The request for a build of a directory that the service may have already, and its bytes; sends nothing.

        None if it has to be sent for all that is known. A service that has not got it says `context-unknown`.
        """
        if not isinstance(context, LocalContext) or context.upload.tree is None or context.outside:
            return None
        if any(map(is_local, options.get("build_contexts", {}).values())):
            return None
        tree = context.upload.tree
        known = await self.connection.ground.call(lambda: _known(tree))
        return known and (build_fields(known[0], context.dockerfile, None, options), known[1])

    async def _named(self, sources: Mapping[str, str]) -> dict[str, str]:
        """Upload the further contexts that are directories here; returns the sources with digests in their place."""
        sent = dict(sources)
        for name, source in sources.items():
            if is_local(source):
                upload = await self.connection.ground.call(partial(prepare_named, source, name))
                sent[name] = (await self.send(upload))["digest"]
        return sent

    async def submit(self, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """Start a build whose context is uploaded; sent again as often as needed, it starts one job."""
        headers = {"Idempotency-Key": key or os.urandom(16).hex()}
        answer = await self.connection.post("/v1/builds", json=dict(fields), headers=headers)
        return self._told(answer)

    async def begin(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], Follower]:
        """As `submit`, for who follows the job to its end: returns the record and what follows it.

        One request does for all of it where nothing breaks: its answer is the record, then the events as they come, and
        at the end the record again.
        """
        key = os.urandom(16).hex()
        headers = {**FOLLOWING, "Accept": "text/event-stream, application/json", "Idempotency-Key": key}
        answer = await self.connection.post_open("/v1/builds", json=dict(fields), headers=headers, patience=SILENCE)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.read()
            job = self._told(answer)
            return job, self.follower(job["id"])
        stream = batches(answer)
        try:
            first, *rest = [message async for batch in _until_any(stream) for message in batch]
        except (ValueError, ShipwayError):  # it broke before it said anything: the key finds the job
            await stream.aclose()
            job = await self.submit(fields, key)
            return job, self.follower(job["id"])
        job = read_record(first)
        return job, self.follower(job["id"], stream=_chained(rest, stream))

    async def job(self, job_id: str) -> dict[str, Any]:
        """Read a job's record."""
        return self._told(await self.connection.get(job_path(job_id)))

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask for a job to be cancelled; one that has ended stays as it is."""
        return self._told(await self.connection.post(f"{job_path(job_id)}/cancel"))

    def events(self, job_id: str, after: int = 0) -> AsyncGenerator[dict[str, Any], None]:
        """Yield a job's events that come after a number, each once, in order, live, until the final one."""
        return self.follower(job_id, after=after).events()

    def follower(self, job_id: str, *, after: int = 0, stream: Batches | None = None) -> Follower:
        """What follows a job."""

        async def record() -> Job:
            return cast("Job", Told(await self.job(job_id)))

        return Follower(self.connection, job_path(job_id), after=after, read_job=record, stream=stream)

    def _told(self, answer: Answer) -> dict[str, Any]:
        try:
            fields = answer.json()
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise ClientError(f"{self.connection.url} does not answer as a service does", slug="unexpected-answer")
        return fields


def _known(tree: Tree) -> tuple[str, int] | None:
    """Digest and bytes of a directory: of a small one by reading it, of any other if it is as it was the last time."""
    if tree.size > WHOLE:
        return tree.cache.recall(tree.state)
    from shipway.client.snapshot import Snapshot  # noqa: PLC0415

    snapshot = Snapshot(tree, remembering=False)
    return snapshot.digest, snapshot.size


async def _until_any(stream: Batches) -> Batches:
    """Yield batches up to the first that has a message; the stream stays open."""
    while not (batch := await anext(stream, None)):
        if batch is None:
            return
    yield batch


async def _chained(messages: list[ServerSentEvent], stream: Batches) -> Batches:
    async with aclosing(stream):
        yield messages
        async for batch in stream:
            yield batch
