"""The asynchronous client."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Self, Unpack

from shipway.client.agents import Agents
from shipway.client.answers import JobPage, WorkerList
from shipway.client.config import service_token, service_url
from shipway.client.connection import Connection
from shipway.client.following import Follower
from shipway.client.identity import job_identity
from shipway.client.images import Images
from shipway.client.moves import Moves
from shipway.client.options import BuildKeywords, build_request, check_options
from shipway.client.paths import job_path
from shipway.client.refusals import raise_for_job
from shipway.client.registries import Registries
from shipway.client.threads import call_in_thread
from shipway.client.tokens import Tokens
from shipway.client.transfer import OnProgress, counted
from shipway.client.upload import (
    DOCKERFILE,
    Context,
    Dockerfile,
    DockerfileSource,
    LocalContext,
    Upload,
    prepare,
    prepare_named,
)
from shipway.context.url import is_local, is_remote
from shipway.models.event import Event
from shipway.models.job import Job, JobState
from shipway.models.receipt import ContextReceipt
from shipway.models.request import BuildRequest
from shipway.models.spec import Kind
from shipway.models.worker import Worker

INDEXING_PATIENCE = 600.0
"""Seconds the service may take over a context once it has arrived."""


class AsyncClient(Agents, Moves, Images, Tokens, Registries):
    """Talks to one Shipway service. Use it as an asynchronous context manager.

    Args:
        url: of the service; by default from `SHIPWAY_URL` or the configuration file.
        token: for it; by default from `SHIPWAY_TOKEN`, or what `shipway login` kept for this URL, or the CI job's own
            where `SHIPWAY_AUDIENCE` is set.
        timeout: seconds for one ordinary request; uploads and following take as long as they take.

    Every method raises `ClientError` (slug `service-unreachable`) without a connection, and the
    `RequestError` that fits the status, with the service's slug, when the service refuses.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, timeout: float = 30.0) -> None:
        self.url = service_url(url)
        known = service_token(self.url, token)
        self._connection = Connection(self.url, timeout, known, None if known else job_identity())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def upload_context(
        self,
        context: Context | LocalContext,
        *,
        dockerfile: Dockerfile | None = None,
        on_progress: OnProgress | None = None,
    ) -> ContextReceipt:
        """Send a context; builds name it by the digest in the receipt.

        Args:
            context: the directory or stream.
            dockerfile: path inside the directory; it is sent even if `.dockerignore` names it, and its own
                `<Dockerfile>.dockerignore` counts first.
            on_progress: told how far the upload is.

        Raises:
            ClientError: there is no such directory or Dockerfile.
            ContextError: the files can't serve as a context.
        """
        return await self._send((await _prepared(context, dockerfile)).upload, on_progress)

    async def build(
        self,
        context: Context | LocalContext | BuildRequest,
        *,
        dockerfile: Dockerfile | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[BuildKeywords],
    ) -> Job:
        """Upload a context and start a build; returns as soon as the service has accepted the job.

        Args:
            context: the directory or stream; the URL of a git repository (`#ref:directory`), a tarball or a
                Dockerfile, which the worker fetches; or a complete request, whose context is already uploaded.
            dockerfile: relative to the context, or absolute; one outside is sent as a context of its own.
            on_progress: told how far the upload is.
            **options: see `BuildKeywords`.

        Raises:
            InvalidRequest: an option is wrong.
            ClientError: there is no such directory or Dockerfile.
            ContextError: the files can't serve as a context.
        """
        if isinstance(context, BuildRequest):
            return await self.submit(context)
        return await self.submit(
            await self.upload_for_build(context, dockerfile=dockerfile, on_progress=on_progress, **options)
        )

    async def upload_for_build(
        self,
        context: Context | LocalContext,
        *,
        dockerfile: Dockerfile | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[BuildKeywords],
    ) -> BuildRequest:
        """The first half of `build`: everything but `submit`. Nothing runs yet, so it may be given up."""
        check_options(options)
        if isinstance(context, str) and is_remote(context):
            options["build_contexts"] = await self._named(options.get("build_contexts", {}))
            return await self._remote_request(context, dockerfile, options)
        local = await _prepared(context, dockerfile)
        options["build_contexts"] = await self._named(options.get("build_contexts", {}))
        apart = (await self._send(local.outside.upload(), None)).digest if local.outside else None
        receipt = await self._send(local.upload, on_progress)
        return build_request(receipt.digest, local.dockerfile, apart, options)

    async def submit(self, request: BuildRequest, *, idempotency_key: str | None = None) -> Job:
        """Start a build whose context is uploaded; sent again as often as needed, it starts one job."""
        key = idempotency_key or str(uuid.uuid4())
        body = request.model_dump(mode="json", exclude_defaults=True)
        answer = await self._connection.post("/v1/builds", json=body, headers={"Idempotency-Key": key})
        return Job.model_validate_json(answer.content)

    async def job(self, job_id: str) -> Job:
        """Read a job's record."""
        return Job.model_validate_json((await self._connection.get(job_path(job_id))).content)

    async def jobs(
        self,
        *,
        state: JobState | str | None = None,
        kind: Kind | str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> JobPage:
        """List jobs, newest first; pass `page.next` as `before` to get the next page."""
        params = {"state": state, "kind": kind, "before": before, "limit": limit}
        return JobPage.model_validate_json((await self._connection.get("/v1/jobs", params)).content)

    async def events(self, job_id: str, *, after: int = 0) -> AsyncGenerator[Event, None]:
        """Yield a job's events that come after a number, each once, in order, live, until the final one.

        Lost connections are made again and the events go on where they were.
        """
        follower = Follower(self._connection, job_path(job_id), after=after, read_job=lambda: self.job(job_id))
        async with aclosing(follower.events()) as events:
            async for event in events:
                yield event

    async def wait(self, job_id: str, *, check: bool = False) -> Job:
        """Wait until a job has ended and return its record.

        Raises:
            BuildUserError, BuildSystemError, JobError: with `check`, if it did not succeed.
        """
        job = await self.job(job_id)
        if not job.state.final:
            async with aclosing(self.events(job_id, after=job.events)) as events:
                async for _ in events:
                    pass
            job = await self.job(job_id)
        if check:
            raise_for_job(job)
        return job

    async def log(self, job_id: str) -> str:
        """The log so far, as text."""
        return (await self._connection.get(f"{job_path(job_id)}/log")).content.decode(errors="replace")

    async def cancel(self, job_id: str) -> Job:
        """Ask for a job to be cancelled; one that has ended stays as it is."""
        return Job.model_validate_json((await self._connection.post(f"{job_path(job_id)}/cancel")).content)

    async def workers(self) -> tuple[Worker, ...]:
        """List the workers that are alive."""
        return WorkerList.model_validate_json((await self._connection.get("/v1/workers")).content).workers

    async def get_json(self, path: str, **params: str | int | None) -> Any:
        """The JSON of any resource exactly as the service gives it, fields of newer versions included."""
        return (await self._connection.get(path, params)).json()

    async def _remote_request(self, url: str, dockerfile: Dockerfile | None, options: BuildKeywords) -> BuildRequest:
        """A build of what is at a URL; only a Dockerfile from elsewhere is sent."""
        if isinstance(dockerfile, DockerfileSource):
            apart = (await self._send(dockerfile.upload(), None)).digest
            return build_request(None, dockerfile.name, apart, options, remote=url)
        return build_request(None, str(dockerfile or DOCKERFILE), None, options, remote=url)

    async def _named(self, sources: Mapping[str, str]) -> dict[str, str]:
        """Upload the further contexts that are directories here; returns the sources with digests in their place."""
        sent = dict(sources)
        for name, source in sources.items():
            if is_local(source):
                upload = await call_in_thread(partial(prepare_named, source, name))
                sent[name] = (await self._send(upload, None)).digest
        return sent

    async def _send(self, upload: Upload, on_progress: OnProgress | None) -> ContextReceipt:
        answer = await self._connection.upload(
            "/v1/contexts",
            lambda: counted(upload, on_progress),
            patience=INDEXING_PATIENCE,
            replayable=upload.replayable,
        )
        return ContextReceipt.model_validate_json(answer.content)


async def _prepared(context: Context | LocalContext, dockerfile: Dockerfile | None) -> LocalContext:
    if isinstance(context, LocalContext):
        return context
    return await call_in_thread(lambda: prepare(context, dockerfile))
