"""The events of jobs: Redis streams whose entry `N-0` is event number N."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis

from shipway.models.event import BODY, Event, StateChanged
from shipway.models.job import JobState
from shipway.storage import keys

PAGE = 500
BLOCK_MS = 5000
"""How long one blocking read waits; well below the socket's time limit."""


def ends(event: Event) -> bool:
    """Whether no event can follow this one."""
    return isinstance(event.body, StateChanged) and JobState(event.body.state).final


class EventLog:
    """Reads events in order, from any number on."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self, job_id: str, after: int = 0, limit: int = PAGE) -> list[Event]:
        """Read up to `limit` events that come after number `after`."""
        entries: Any = await self._redis.xrange(keys.events(job_id), min=f"({after}-0", count=limit)
        return [_event(entry_id, fields) for entry_id, fields in entries]

    async def wait(self, job_id: str, after: int) -> list[Event]:
        """Wait up to 5 s for events after number `after`; an empty list means none came."""
        answer: Any = await self._redis.xread({keys.events(job_id): f"{after}-0"}, count=PAGE, block=BLOCK_MS)
        return [_event(entry_id, fields) for _, entries in answer or () for entry_id, fields in entries]

    async def all(self, job_id: str) -> AsyncIterator[Event]:
        """Every event there is now, in order."""
        after = 0
        while page := await self.read(job_id, after):
            for event in page:
                yield event
            after = page[-1].seq


def _event(entry_id: str, fields: dict[str, str]) -> Event:
    return Event(
        seq=int(entry_id.partition("-")[0]),
        at=float(fields["at"]),
        attempt=int(fields["attempt"]),
        body=BODY.validate_json(fields["body"]),
    )
