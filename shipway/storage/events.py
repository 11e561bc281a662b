"""The events of jobs: Redis streams whose entry `N-0` is event number N; archived when the job has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis

from shipway.models.event import BODY, Event, StateChanged
from shipway.models.job import JobState
from shipway.storage import archive, keys
from shipway.storage.blobs import BlobStore

PAGE = 500
LINGER = 600
"""Seconds that the events of an ended job stay in Redis after they were archived."""
BLOCK_MS = 5000
"""How long one blocking read waits; well below the socket's time limit."""


def ends(event: Event) -> bool:
    """Whether no event can follow this one."""
    return isinstance(event.body, StateChanged) and JobState(event.body.state).final


class EventLog:
    """Reads events in order, from any number on, wherever they are kept by now."""

    def __init__(self, redis: Redis, blobs: BlobStore) -> None:
        self._redis = redis
        self._blobs = blobs

    async def read(self, job_id: str, after: int = 0, limit: int = PAGE) -> list[Event]:
        """Read up to `limit` events from Redis that come after number `after`."""
        entries: Any = await self._redis.xrange(keys.events(job_id), min=f"({after}-0", count=limit)
        return [_event(entry_id, fields) for entry_id, fields in entries]

    async def wait(self, job_id: str, after: int) -> list[Event]:
        """Wait up to 5 s for events after number `after`; an empty list means none came."""
        answer: Any = await self._redis.xread({keys.events(job_id): f"{after}-0"}, count=PAGE, block=BLOCK_MS)
        return [_event(entry_id, fields) for _, entries in answer or () for entry_id, fields in entries]

    async def so_far(self, project: str, job_id: str, after: int = 0, at_once: int = PAGE) -> AsyncIterator[Event]:
        """Every event there is now after a number, in order, from Redis (some at once) or from the archive."""
        while page := await self.read(job_id, after, at_once):
            for event in page:
                yield event
            after = page[-1].seq
        if await self._redis.hget(keys.job(job_id), "archived"):
            async for event in archive.read(self._blobs, project, job_id, after):
                yield event

    async def archive(self, project: str, job_id: str, seconds: float) -> None:
        """Move the events of an ended job to the object store; Redis keeps them for those who follow just now.

        Raises:
            Unavailable: the store refuses them; they stay in Redis for as long as the record.
        """
        await archive.write(self._blobs, project, job_id, self.so_far(project, job_id), seconds)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(keys.job(job_id), "archived", "1")
        pipe.expire(keys.events(job_id), LINGER)
        await pipe.execute()


def _event(entry_id: str, fields: dict[str, str]) -> Event:
    return Event(
        seq=int(entry_id.partition("-")[0]),
        at=float(fields["at"]),
        attempt=int(fields["attempt"]),
        body=BODY.validate_json(fields["body"]),
    )
