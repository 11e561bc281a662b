"""What answers a build that is asked again: the job that gave the newest result, and where its image was pushed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from redis.asyncio import Redis

from shipway.storage import keys


class AnswerStore:
    """Ids of jobs by the question they answered, and digests of manifests by image and name, each project for itself.

    Whoever asks checks what is found.
    """

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

    async def note_pushed(self, project: str, image: str, name: str, digest: str) -> None:
        """Take down by which digest a registry has got an image under a name."""
        await self._redis.set(keys.pushed(project, image, name), digest, ex=self._retention)

    async def pushed(self, project: str, image: str, names: Sequence[str]) -> dict[str, str]:
        """The digests by which an image was pushed, of those of the names that it was pushed by."""
        if not names:
            return {}
        found = await self._redis.mget([keys.pushed(project, image, name) for name in names])
        return {name: digest for name, digest in zip(names, cast("list[str | None]", found), strict=True) if digest}
