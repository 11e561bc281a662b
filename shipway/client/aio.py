"""The asynchronous client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Self, Unpack

from pydantic import ValidationError

from shipway import __version__
from shipway.client.agents import Agents
from shipway.client.answers import JobPage, WorkerList
from shipway.client.checking import check_options, validated
from shipway.client.config import service_token, service_url
from shipway.client.connection import Connection
from shipway.client.following import unreadable
from shipway.client.ground import common_headers
from shipway.client.identity import job_identity
from shipway.client.images import Images
from shipway.client.moves import Moves
from shipway.client.on_loop import OnLoop
from shipway.client.options import BuildKeywords
from shipway.client.paths import job_path
from shipway.client.refusals import raise_for_job
from shipway.client.registries import Registries
from shipway.client.tokens import Tokens
from shipway.client.transfer import OnProgress, OnSpared
from shipway.client.upload import (
    Context,
    Dockerfile,
    LocalContext,
    Upload,
    prepare,
)
from shipway.client.webhooks import Webhooks
from shipway.client.wire import Wire
from shipway.context.url import is_remote
from shipway.models.event import Event, Unknown
from shipway.models.job import Job, JobState
from shipway.models.receipt import ContextReceipt
from shipway.models.request import BuildRequest
from shipway.models.spec import Kind
from shipway.models.worker import Worker


class AsyncClient(Agents, Moves, Images, Tokens, Registries, Webhooks):
    """Talks to one Shipway service. Use it as an asynchronous context manager.

    Args:
        url: of the service; by default from `SHIPWAY_URL` or the configuration file.
        token: for it; by default from `SHIPWAY_TOKEN`, or what `shipway login` kept for this URL, or the CI job's own
            where `SHIPWAY_AUDIENCE` is set.
        timeout: seconds for one ordinary request; uploads and following take as long as they take.

    Attributes:
        url: of the service.
        wire: says the same in JSON.

    Every method raises `ClientError` (slug `service-unreachable`) without a connection, and the
    `RequestError` that fits the status, with the service's slug, when the service refuses.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, timeout: float = 30.0) -> None:
        self.url = service_url(url)
        known = service_token(self.url, token)
        identity = None if known else job_identity()
        self._connection = Connection(OnLoop(self.url, timeout, common_headers(__version__, known), identity))
        self.wire = Wire(self._connection)

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
        on_spared: OnSpared | None = None,
    ) -> ContextReceipt:
        """Send a context; builds name it by the digest in the receipt.

        Args:
            context: the directory or stream.
            dockerfile: path inside the directory; it is sent even if `.dockerignore` names it, and its own
                `<Dockerfile>.dockerignore` counts first.
            on_progress: told how far the upload is.
            on_spared: told how many bytes of content the service has already.

        Raises:
            ClientError: there is no such directory or Dockerfile.
            ContextError: the files can't serve as a context.
        """
        return await self._send((await self._prepared(context, dockerfile)).upload, on_progress, on_spared)

    async def build(
        self,
        context: Context | LocalContext | BuildRequest,
        *,
        dockerfile: Dockerfile | None = None,
        on_progress: OnProgress | None = None,
        on_spared: OnSpared | None = None,
        **options: Unpack[BuildKeywords],
    ) -> Job:
        """Upload a context and start a build; returns as soon as the service has accepted the job.

        Args:
            context: the directory or stream; the URL of a git repository (`#ref:directory`), a tarball or a
                Dockerfile, which the worker fetches; or a complete request, whose context is already uploaded.
            dockerfile: relative to the context, or absolute; one outside is sent as a context of its own.
            on_progress: told how far the upload is.
            on_spared: told how many bytes of content the service has already.
            **options: see `BuildKeywords`.

        Raises:
            InvalidRequest: an option is wrong.
            ClientError: there is no such directory or Dockerfile.
            ContextError: the files can't serve as a context.
        """
        if isinstance(context, BuildRequest):
            return await self.submit(context)
        return await self.submit(
            await self.upload_for_build(
                context, dockerfile=dockerfile, on_progress=on_progress, on_spared=on_spared, **options
            )
        )

    async def upload_for_build(
        self,
        context: Context | LocalContext,
        *,
        dockerfile: Dockerfile | None = None,
        on_progress: OnProgress | None = None,
        on_spared: OnSpared | None = None,
        **options: Unpack[BuildKeywords],
    ) -> BuildRequest:
        """The first half of `build`: everything but `submit`. Nothing runs yet, so it may be given up."""
        check_options(options)
        if not (isinstance(context, str) and is_remote(context)):
            context, dockerfile = await self._prepared(context, dockerfile), None
        fields = await self.wire.upload_for_build(context, dockerfile, options, on_progress, on_spared)
        return validated(BuildRequest, fields)

    async def submit(self, request: BuildRequest, *, idempotency_key: str | None = None) -> Job:
        """Start a build whose context is uploaded; sent again as often as needed, it starts one job."""
        fields = request.model_dump(mode="json", exclude_defaults=True)
        return Job.model_validate(await self.wire.submit(fields, idempotency_key))

    async def job(self, job_id: str) -> Job:
        """Read a job's record."""
        return Job.model_validate(await self.wire.job(job_id))

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
        async with aclosing(self.wire.events(job_id, after)) as events:
            async for fields in events:
                event = _event(fields, job_id)
                if not isinstance(event.body, Unknown):
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
        return Job.model_validate(await self.wire.cancel(job_id))

    async def workers(self) -> tuple[Worker, ...]:
        """List the workers that are alive."""
        return WorkerList.model_validate_json((await self._connection.get("/v1/workers")).content).workers

    async def get_json(self, path: str, **params: str | int | None) -> Any:
        """The JSON of any resource exactly as the service gives it, fields of newer versions included."""
        return (await self._connection.get(path, params)).json()

    async def _send(self, upload: Upload, on_progress: OnProgress | None, on_spared: OnSpared | None) -> ContextReceipt:
        return ContextReceipt.model_validate(await self.wire.send(upload, on_progress, on_spared))

    async def _prepared(self, context: Context | LocalContext, dockerfile: Dockerfile | None) -> LocalContext:
        if isinstance(context, LocalContext):
            return context
        return await self._connection.ground.call(lambda: prepare(context, dockerfile))


def _event(fields: dict[str, Any], job_id: str) -> Event:
    try:
        return Event.model_validate(fields)
    except ValidationError as fault:
        raise unreadable(fields.get("seq", 0), job_path(job_id)) from fault
