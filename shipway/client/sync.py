"""The synchronous client: the asynchronous one on a loop in a private thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, Unpack

from shipway.client.agents import Warn
from shipway.client.aio import AsyncClient
from shipway.client.answers import JobPage
from shipway.client.options import BuildKeywords
from shipway.client.portal import Portal
from shipway.client.sync_images import SyncImages
from shipway.client.sync_moves import SyncMoves
from shipway.client.sync_registries import SyncRegistries
from shipway.client.sync_tokens import SyncTokens
from shipway.client.sync_webhooks import SyncWebhooks
from shipway.client.transfer import OnProgress, OnSpared
from shipway.client.upload import Context, Dockerfile, LocalContext
from shipway.models.event import Event
from shipway.models.job import Job, JobState
from shipway.models.receipt import ContextReceipt
from shipway.models.request import BuildRequest
from shipway.models.spec import Kind
from shipway.models.worker import Worker


class Client(SyncMoves, SyncImages, SyncTokens, SyncRegistries, SyncWebhooks):
    """`AsyncClient` for code without asyncio: the same names, arguments and errors.

    Safe to use from several threads. `on_progress` is called in the client's own thread.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, timeout: float = 30.0) -> None:
        self._client = AsyncClient(url, token=token, timeout=timeout)
        self.url = self._client.url
        self._portal = Portal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and end the private thread."""
        self._portal.run(self._client.aclose())
        self._portal.close()

    def upload_context(
        self,
        context: Context | LocalContext,
        *,
        dockerfile: Dockerfile | None = None,
        on_progress: OnProgress | None = None,
        on_spared: OnSpared | None = None,
    ) -> ContextReceipt:
        """See `AsyncClient.upload_context`."""
        return self._portal.run(
            self._client.upload_context(context, dockerfile=dockerfile, on_progress=on_progress, on_spared=on_spared)
        )

    def build(
        self,
        context: Context | LocalContext | BuildRequest,
        *,
        dockerfile: Dockerfile | None = None,
        on_progress: OnProgress | None = None,
        on_spared: OnSpared | None = None,
        **options: Unpack[BuildKeywords],
    ) -> Job:
        """See `AsyncClient.build`."""
        return self._portal.run(
            self._client.build(context, dockerfile=dockerfile, on_progress=on_progress, on_spared=on_spared, **options)
        )

    def upload_for_build(
        self,
        context: Context | LocalContext,
        *,
        dockerfile: Dockerfile | None = None,
        on_progress: OnProgress | None = None,
        on_spared: OnSpared | None = None,
        **options: Unpack[BuildKeywords],
    ) -> BuildRequest:
        """See `AsyncClient.upload_for_build`."""
        return self._portal.run(
            self._client.upload_for_build(
                context, dockerfile=dockerfile, on_progress=on_progress, on_spared=on_spared, **options
            )
        )

    def submit(self, request: BuildRequest, *, idempotency_key: str | None = None) -> Job:
        """See `AsyncClient.submit`."""
        return self._portal.run(self._client.submit(request, idempotency_key=idempotency_key))

    def job(self, job_id: str) -> Job:
        """See `AsyncClient.job`."""
        return self._portal.run(self._client.job(job_id))

    def jobs(
        self,
        *,
        state: JobState | str | None = None,
        kind: Kind | str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> JobPage:
        """See `AsyncClient.jobs`."""
        return self._portal.run(self._client.jobs(state=state, kind=kind, before=before, limit=limit))

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """See `AsyncClient.events`; an iterator that blocks until the next event."""
        events = self._client.events(job_id, after=after)

        async def following() -> Event | None:
            return await anext(events, None)

        try:
            while (event := self._portal.run(following())) is not None:
                yield event
        finally:
            with suppress(RuntimeError):  # the client was closed before the iterator
                self._portal.run(events.aclose())

    @contextmanager
    def forwarding(
        self, job_id: str, agents: Mapping[str, str | Path], *, warn: Warn = lambda _: None
    ) -> Iterator[None]:
        """See `AsyncClient.forwarding`."""
        answering = self._client.forwarding(job_id, agents, warn=warn)
        self._portal.run(answering.__aenter__())
        try:
            yield
        finally:
            self._portal.run(answering.__aexit__(None, None, None))

    def wait(self, job_id: str, *, check: bool = False) -> Job:
        """See `AsyncClient.wait`."""
        return self._portal.run(self._client.wait(job_id, check=check))

    def log(self, job_id: str) -> str:
        """See `AsyncClient.log`."""
        return self._portal.run(self._client.log(job_id))

    def cancel(self, job_id: str) -> Job:
        """See `AsyncClient.cancel`."""
        return self._portal.run(self._client.cancel(job_id))

    def workers(self) -> tuple[Worker, ...]:
        """See `AsyncClient.workers`."""
        return self._portal.run(self._client.workers())

    def get_json(self, path: str, **params: str | int | None) -> Any:
        """See `AsyncClient.get_json`."""
        return self._portal.run(self._client.get_json(path, **params))
