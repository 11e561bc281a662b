"""Carries what steps ask the ssh agents of a job's client, and the answers: sealed, and gone within minutes."""

from __future__ import annotations

import json
from typing import Any

from redis.asyncio import Redis

from shipway.models.agent import AgentAnswer, AgentRequest
from shipway.storage import keys
from shipway.storage.sealing import Sealer

KEPT = 120
"""Seconds for which requests and answers are kept: longer than anybody waits for them."""
WAITING = 64
"""Requests of one job that can wait at once; older ones are dropped."""
ATTENDED = 12
"""Seconds for which a client that asked what there is counts as attached."""
BLOCK_MS = 5000
"""How long one blocking read waits; well below the socket's time limit."""


class AgentMail:
    """Requests go one way as entries of a stream, each answer the other way under a key of its own."""

    def __init__(self, redis: Redis, sealer: Sealer) -> None:
        self._redis = redis
        self._sealer = sealer

    async def ask(self, job_id: str, agent: str, message: bytes) -> str:
        """Leave a request for the client; returns its number."""
        asked = AgentAnswer.of(message).message
        sealed = self._sealer.lock(json.dumps([agent, asked]).encode())
        key = keys.agent(job_id)
        pipe = self._redis.pipeline(transaction=True)
        pipe.xadd(key, {"sealed": sealed}, maxlen=WAITING, approximate=False)
        pipe.expire(key, KEPT)
        number, _ = await pipe.execute()
        return str(number)

    async def answer(self, job_id: str, number: str, seconds: float) -> bytes | None:
        """Wait for the answer to a request; None if there is none yet."""
        popped: Any = await self._redis.blpop([keys.agent_answer(job_id, number)], timeout=seconds)
        return self._sealer.unlock(popped[1]) if popped else None

    async def attended(self, job_id: str) -> bool:
        """Whether the job's client is attached just now."""
        return bool(await self._redis.exists(keys.agent_attended(job_id)))

    async def asked(self, job_id: str, after: str) -> tuple[AgentRequest, ...]:
        """Wait up to 5 s for requests after one; says that the client is attached."""
        await self._redis.set(keys.agent_attended(job_id), "1", ex=ATTENDED)
        found: Any = await self._redis.xread({keys.agent(job_id): after}, block=BLOCK_MS)
        return tuple(self._request(number, fields) for _, entries in found or () for number, fields in entries)

    async def reply(self, job_id: str, number: str, message: bytes) -> bool:
        """Answer a request, once; False if there is none of this number that waits."""
        if not await self._redis.xdel(keys.agent(job_id), number):
            return False
        key = keys.agent_answer(job_id, number)
        pipe = self._redis.pipeline(transaction=True)
        pipe.rpush(key, self._sealer.lock(message))
        pipe.expire(key, KEPT)
        await pipe.execute()
        return True

    def _request(self, number: str, fields: dict[str, str]) -> AgentRequest:
        agent, message = json.loads(self._sealer.unlock(fields["sealed"]))
        return AgentRequest(number=number, agent=agent, message=message)
