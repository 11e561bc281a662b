"""Which job gave the newest result for a question: the same build asked again may be answered by it."""

from __future__ import annotations

from typing import cast

from redis.asyncio import Redis

from shipway.storage import keys


class AnswerStore:
    """Ids of jobs by the question they answered, each project for itself. Whoever asks checks what is found."""

    def __init__(self, redis: Redis, retention: float) -> None:
        self._redis = redis
        self._retention = int(retention)

    async def remember(self, project: str, question: str, job_id: str) -> None:
        """Let a job be the newest that answered a question."""
        await self._redis.set(keys.answer(project, question), job_id, ex=self._retention)

    async def forget(self, project: str, question: str) -> None:
        """Let no job answer a question until one is remembered."""
        await self._redis.delete(keys.answer(project, question))

    async def recall(self, project: str, question: str) -> str | None:
        """The newest job that answered a question, or None."""
        return cast("str | None", await self._redis.get(keys.answer(project, question)))
