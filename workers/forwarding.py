"""Asks the ssh agents of a job's client, for as long as the client is attached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import partial

from redis.exceptions import RedisError

from shipway.exceptions import BuildSystemError, BuildUserError
from shipway.models.agent import ANSWERING
from shipway.storage.agents import AgentMail
from workers.engine import Ask
from workers.patience import patiently

ABSENCE = 15.0
"""Seconds that a client may be away while a step waits: it may be between two connections."""
LOOK = 2.0
"""Seconds between two looks whether it is."""
AT_ONCE = 8
"""Requests that one job may have waiting."""


def forwarded(mail: AgentMail, job_id: str, agents: Iterable[str]) -> dict[str, Ask]:
    """Make what asks each agent of a job's client.

    Raises, when asked:
        BuildUserError: nobody answers (`ssh-agent-away`).
        BuildSystemError: Redis can't be reached (`redis-unavailable`).
    """
    client = _Client(mail, job_id)
    return {agent: partial(client.ask, agent) for agent in agents}


class _Client:
    def __init__(self, mail: AgentMail, job_id: str) -> None:
        self._mail = mail
        self._job_id = job_id
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def ask(self, agent: str, request: bytes) -> bytes:
        async with self._turns:
            try:
                return await self._answered(agent, request)
            except (RedisError, OSError) as fault:
                raise BuildSystemError(
                    "Redis can't be reached to ask an ssh agent", slug="redis-unavailable"
                ) from fault

    async def _answered(self, agent: str, request: bytes) -> bytes:
        mail, job_id = self._mail, self._job_id
        began = time.monotonic()
        number = await patiently(lambda: mail.ask(job_id, agent, request), limit=ABSENCE)
        while True:
            answer = await patiently(lambda: mail.answer(job_id, number, LOOK), limit=ABSENCE)
            if answer is not None:
                return answer
            waited = time.monotonic() - began
            if waited > ABSENCE and not await mail.attended(job_id):
                raise _away(f"the command that started this build is not there to answer for ssh agent {agent!r}")
            if waited > ANSWERING + ABSENCE:
                raise _away(f"the ssh agent {agent!r} did not answer within {waited:.0f} s")


def _away(message: str) -> BuildUserError:
    return BuildUserError(message, slug="ssh-agent-away", field="agents")
