"""Builds with BuildKit: a session that serves files, secrets and logins, and a trace that tells what happens."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping

from aiodocker import DockerError
from aiohttp import ClientError, ClientResponse

from shipway.context.source import ContextSource
from shipway.exceptions import BuildSystemError, JobError
from shipway.models.event import EventBody
from workers.engine import failures
from workers.engine.api import DaemonApi
from workers.engine.contract import BuildOutcome, BuildRequest, Sink
from workers.engine.finishing import finish
from workers.engine.parameters import buildkit_parameters, directory_name
from workers.engine.session import Auth, FileSync, Secrets, Service, Ssh, open_session
from workers.engine.session.proto.control_pb2 import StatusResponse
from workers.engine.stream import error_in, messages
from workers.engine.trace import Trace

TRACE = "moby.buildkit.trace"
IMAGE = "moby.image.id"
STOPPING = 2.0
"""Seconds that a cancelled build gets to end of itself before its connection is closed."""


class BuildKitBuild:
    """One build."""

    def __init__(self, api: DaemonApi, request: BuildRequest, sink: Sink) -> None:
        self._api = api
        self._request = request
        self._sink = sink
        self._trace = Trace()
        self._image_id: str | None = None
        self._ended = False
        self._ssh = Ssh(request.credentials.ssh, request.agents)
        self._files = FileSync(self._directories)

    async def run(self) -> BuildOutcome:
        """Build to the end.

        Raises:
            JobError: it failed; steps and logs are in the sink.
        """
        credentials = self._request.credentials
        services: list[Service] = [
            self._files,
            Secrets(credentials.secrets),
            self._ssh,
            Auth(credentials.registries),
        ]
        try:
            async with open_session(self._api, services, self._request.shared_key) as session:
                await self._follow(session)
        except DockerError as error:
            raise failures.of_answer(error) from error
        return self._outcome()

    async def _directories(self) -> Mapping[str, ContextSource]:
        sources = await asyncio.shield(self._request.sources)
        named = {directory_name(name): source for name, source in sources.named.items()}
        return {"context": sources.context, "dockerfile": sources.of_dockerfile, **named}

    async def _follow(self, session: str) -> None:
        query = buildkit_parameters(self._request.spec, session=session, build_id=self._request.build_id)
        async with self._api.request("POST", "build", query=query) as response:
            try:
                await self._read(response)
            finally:
                if not self._ended:  # cancelled, or the sink raised
                    await finish(self._stop(response), limit=2 * STOPPING)

    async def _read(self, response: ClientResponse) -> None:
        try:
            async for message in messages(response.content):
                if message.get("id") == TRACE:
                    await self._emit(self._trace.read(StatusResponse.FromString(base64.b64decode(message["aux"]))))
                elif message.get("id") == IMAGE:
                    self._image_id = message["aux"]["ID"]
                elif (text := error_in(message)) is not None:
                    self._ended = True
                    await self._emit(self._trace.abandon())
                    raise self._failure(text)
        except ClientError:
            self._ended = True
            raise
        self._ended = True

    async def _emit(self, events: Iterable[EventBody]) -> None:
        for event in events:
            await self._sink(event)

    def _failure(self, text: str) -> JobError:
        if self._files.failure is not None:
            return failures.of_context(self._files.failure)
        failed = self._trace.failed
        ran = failed is not None and not failed.internal
        if failed is not None and (away := self._ssh.failure(since=failed.started or 0)) is not None:
            away.step = failed.name
            return away
        return failures.of_build(text, step=failed.name if failed else None, ran=ran)

    async def _stop(self, response: ClientResponse) -> None:
        """Make the daemon stop, and wait for it to say so: only then is nothing left running."""
        await self._api.json("POST", "build/cancel", query=[("id", self._request.build_id)], limit=STOPPING)
        async with asyncio.timeout(STOPPING):
            async for _ in response.content.iter_any():
                pass
        await self._emit(self._trace.abandon())

    def _outcome(self) -> BuildOutcome:
        if self._image_id is None:
            raise BuildSystemError("the daemon ended the build without an image", slug="build-stream-ended")
        return BuildOutcome(
            image_id=self._image_id,
            steps=self._trace.steps,
            bases=dict(self._trace.bases),
            context_sent=self._files.sent,
            context_spared=max(0, self._files.wanted - self._files.sent),
        )
