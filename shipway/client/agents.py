"""Lets the steps of a build use ssh agents of this machine, as `ssh -A` does: requests come here, keys stay here."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from shipway.client.connection import Backoff, Connection, may_pass
from shipway.client.paths import job_path
from shipway.exceptions import ShipwayError
from shipway.models import agent
from shipway.models.agent import ANSWERING, FAILED, MAX_MESSAGE, AgentAnswer, AgentRequest, AgentRequests

_LENGTH = struct.Struct(">I")

Warn = Callable[[str], None]


class Agents:
    """The part of `AsyncClient` that answers for ssh agents."""

    _connection: Connection

    @asynccontextmanager
    async def forwarding(
        self, job_id: str, agents: Mapping[str, str | Path], *, warn: Warn = lambda _: None
    ) -> AsyncGenerator[None, None]:
        """Answer, while in this context, what the steps of a build ask ssh agents; see its option `agents`.

        Only listing keys and signing are passed on. A step that nobody answers for fails (`ssh-agent-away`).

        Args:
            job_id: the build.
            agents: the socket of each, by the id that steps know it by, such as `default`.
            warn: told when an agent or the service can't be reached.
        """
        if not agents:
            yield
            return
        answering = asyncio.create_task(_Answering(self._connection, job_id, agents, warn).run())
        try:
            yield
        finally:
            answering.cancel()
            await asyncio.wait({answering})


class _Answering:
    def __init__(self, connection: Connection, job_id: str, agents: Mapping[str, str | Path], warn: Warn) -> None:
        self._connection = connection
        self._path = f"{job_path(job_id)}/agent"
        self._agents = agents
        self._warn = warn

    async def run(self) -> None:
        """Answer until the job has ended or the service refuses."""
        after, backoff = "0-0", Backoff(self._connection.ground)
        async with asyncio.TaskGroup() as answers:
            while True:
                try:
                    requests = await self._asked(after)
                except ShipwayError as fault:
                    if not may_pass(fault):
                        self._tell(fault)
                        return
                    await backoff.pause()
                    continue
                backoff.reset()
                for request in requests:
                    after = request.number
                    answers.create_task(self._answer(request))

    async def _asked(self, after: str) -> tuple[AgentRequest, ...]:
        answer = await self._connection.get(self._path, {"after": after})
        return AgentRequests.model_validate_json(answer.content).requests

    async def _answer(self, request: AgentRequest) -> None:
        answer = AgentAnswer.of(await self._answered(request))
        try:
            path = f"{self._path}/{request.number}"
            await self._connection.put(path, json=answer.model_dump(), patience=ANSWERING)
        except ShipwayError as fault:
            self._tell(fault)

    async def _answered(self, request: AgentRequest) -> bytes:
        """What the agent answers; a failure for what it is not asked, for this side trusts nobody."""
        socket = self._agents.get(request.agent)
        if socket is None or not agent.may_pass(request.raw):
            return FAILED
        try:
            async with asyncio.timeout(ANSWERING):
                return await ask(socket, request.raw)
        except (OSError, EOFError) as fault:  # TimeoutError is an OSError
            self._warn(f"the ssh agent at {socket} does not answer: {fault!r}")
            return FAILED

    def _tell(self, fault: ShipwayError) -> None:
        if fault.slug not in ("job-ended", "ssh-request-unknown"):
            self._warn(f"can't answer for the ssh agent any more: {fault.message}")


async def ask(socket: str | Path, request: bytes) -> bytes:
    """Ask an agent on this machine.

    Raises:
        OSError, EOFError: it can't be reached, or ends the connection.
    """
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(_LENGTH.pack(len(request)) + request)
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if not 0 < length <= MAX_MESSAGE:
            raise EOFError("this is no ssh agent")
        return await reader.readexactly(length)
    finally:
        writer.close()
