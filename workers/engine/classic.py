"""Builds with the classic builder: a tar goes in, text comes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

from aiodocker import DockerError
from aiohttp import ClientError, ClientResponse

from shipway.context.pack import tar_of_source
from shipway.context.source import ContextSource
from shipway.exceptions import BuildSystemError, JobError, RequestError
from shipway.models.event import EventBody, StepStatus
from workers.engine import failures
from workers.engine.api import DaemonApi
from workers.engine.classic_context import ClassicContext, classic_context
from workers.engine.contract import BuildOutcome, BuildRequest, Sink
from workers.engine.finishing import finish
from workers.engine.limits import classic_limits
from workers.engine.logins import config_header
from workers.engine.names import owned_name
from workers.engine.parameters import classic_parameters
from workers.engine.stream import error_in, messages
from workers.engine.transcript import Transcript

CLEANING = 4.0
"""Seconds that removing a left-over container may take."""
LASTING = 1.0
"""Seconds after which a step's container gets a name of ours.

Trap: a daemon that is asked to rename a container while it removes it lists it for ever after, and nothing but its
restart takes it off the list. Most steps that fail do so at once.
"""


class ClassicBuild:
    """One build."""

    def __init__(self, api: DaemonApi, request: BuildRequest, sink: Sink) -> None:
        self._api = api
        self._request = request
        self._sink = sink
        self._transcript = Transcript()
        self._ended = False
        self._size = 0
        self._unreadable: Exception | None = None
        self._naming: asyncio.Task[None] | None = None

    async def run(self) -> BuildOutcome:
        """Build to the end.

        Raises:
            JobError: it failed; steps and logs are in the sink.
        """
        sources = await asyncio.shield(self._request.sources)
        try:
            context = await classic_context(sources, self._request.spec.dockerfile)
        except RequestError as error:
            raise failures.of_context(error) from error
        self._size = context.source.manifest.size
        try:
            await self._follow(context)
        except DockerError as error:
            raise self._blame(failures.of_answer(error)) from error
        except BuildSystemError as error:
            raise self._blame(error) from error
        return self._outcome()

    async def _follow(self, context: ClassicContext) -> None:
        query = classic_parameters(self._request.spec, dockerfile=context.dockerfile)
        query += classic_limits(self._request.limits)
        headers = {"Content-Type": "application/x-tar", **config_header(self._request.credentials.registries)}
        body = self._body(context.source)
        try:
            async with self._api.request("POST", "build", query=query, headers=headers, body=body) as response:
                await self._read(response)
        finally:
            self._name(None)
            await finish(self._clean(), limit=CLEANING)

    async def _body(self, source: ContextSource) -> AsyncIterator[bytes]:
        try:
            async for chunk in tar_of_source(source):
                yield chunk
        except Exception as error:
            self._unreadable = error
            raise

    async def _read(self, response: ClientResponse) -> None:
        try:
            async for message in messages(response.content):
                text = error_in(message)
                if text is None:
                    before = self._transcript.container
                    await self._emit(self._transcript.read(message))
                    if self._transcript.container != before:
                        self._name(self._transcript.container)
                    continue
                self._ended = True
                await self._emit(self._transcript.finish(text))
                raise self._failure(text)
        except ClientError:
            self._ended = True
            raise
        self._ended = True
        await self._emit(self._transcript.finish())

    def _name(self, container: str | None) -> None:
        """Name the container of the step that runs now, and no other any more, once it has lasted."""
        if self._naming is not None:
            self._naming.cancel()
        self._naming = asyncio.create_task(self._own(container)) if container else None

    async def _own(self, container: str) -> None:
        """Name a step's container after this attempt, so that it is swept should the daemon die and leave it."""
        await asyncio.sleep(LASTING)
        query = [("name", owned_name(self._request.build_id))]
        with suppress(DockerError, BuildSystemError):  # the step has ended already, or the daemon, which others tell
            await self._api.json("POST", f"containers/{container}/rename", query=query)

    async def _emit(self, events: Iterable[EventBody]) -> None:
        for event in events:
            await self._sink(event)

    def _failure(self, text: str) -> JobError:
        failed = next((s for s in self._transcript.steps if s.status is StepStatus.FAILED), None)
        ran = failed is not None and failed.name.upper().startswith("RUN")
        return self._blame(failures.of_build(text, step=failed.name if failed else None, ran=ran))

    def _blame(self, error: JobError) -> JobError:
        """A context that can't be read makes the daemon complain of a broken tar: name the cause."""
        return error if self._unreadable is None else failures.of_context(self._unreadable)

    async def _clean(self) -> None:
        """Remove the container of the step that was running, if the daemon's own clean-up left it."""
        if not self._ended:
            await self._emit(self._transcript.abandon())
        if self._transcript.container is not None:
            path = f"containers/{self._transcript.container}"
            try:
                await self._api.json("DELETE", path, query=[("force", "1"), ("v", "1")], limit=CLEANING)
            except DockerError as error:
                if error.status not in (404, 409):  # gone, or being removed by the daemon
                    raise

    def _outcome(self) -> BuildOutcome:
        transcript = self._transcript
        if transcript.image_id is None or not transcript.complete:
            raise BuildSystemError("the daemon ended the build without an image", slug="build-stream-ended")
        return BuildOutcome(
            image_id=transcript.image_id,
            steps=transcript.steps,
            bases=dict(transcript.bases),
            context_sent=self._size,
            context_spared=0,
        )
