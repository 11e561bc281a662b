"""The newest events of the jobs that are followed just now: read once, encoded once, for all who follow in a process.

Nobody has a queue of their own. Each follower asks for what comes after the number it has reached, at its own pace, so
that a slow one holds up no other and takes no memory; one that falls behind what is kept here looks it up in the log.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import structlog
from redis.exceptions import RedisError

from shipway.models.event import Event
from shipway.storage.events import EventLog, ends
from shipway.storage.jobs import JobStore
from shipway.storage.redis import redis_away

log = structlog.get_logger(__name__)

KEPT = 2**20
"""Bytes of encoded events that are kept of one job."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event as followers are told of it.

    Attributes:
        seq: its number.
        type: of its body.
        json: all of it.
        last: whether no event can follow.
    """

    seq: int
    type: str
    json: bytes
    last: bool

    @classmethod
    def of(cls, event: Event) -> Self:
        """Encode an event."""
        return cls(event.seq, event.body.type, event.model_dump_json(exclude_none=True).encode(), ends(event))


class Tail:
    """The end of one job's log as it grows."""

    def __init__(self, after: int) -> None:
        self._kept: deque[Told] = deque()
        self._bytes = 0
        self._newest = after
        self._grown = asyncio.Event()
        self._over = self._broken = False
        self.followers = 0

    def add(self, events: list[Event]) -> None:
        """Take the next events and wake who waits for them; the oldest go when there are too many."""
        if not events:
            return
        for told in map(Told.of, events):
            self._kept.append(told)
            self._bytes += len(told.json)
            self._newest = told.seq
        while self._bytes > KEPT:
            self._bytes -= len(self._kept.popleft().json)
        self.wake()

    def wake(self) -> None:
        """Have everyone who waits look again."""
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def close(self, *, broken: bool) -> None:
        """Nothing more will come: the job is over, or its log can't be read."""
        self._over, self._broken = True, broken
        self.wake()

    @property
    def newest(self) -> int:
        """Number of the last event that was read."""
        return self._newest

    async def next(self, after: int) -> list[Told] | None:
        """The events after a number, as soon as there are any; empty when woken for another reason.

        Returns None if they are not kept (any more): the log has them, or there are none.

        Raises:
            Unavailable: the log can't be read.
        """
        if after >= self._newest and not self._over:
            await self._grown.wait()
        if self._broken:
            raise redis_away()
        oldest = self._kept[0].seq if self._kept else self._newest + 1
        if after < oldest - 1 or (self._over and after >= self._newest):
            return None
        new = max(0, self._newest - after)
        return [self._kept[at] for at in range(len(self._kept) - new, len(self._kept))]


class Tails:
    """The tails of a process, one for each job that somebody follows."""

    def __init__(self, events: EventLog, jobs: JobStore) -> None:
        self._events = events
        self._jobs = jobs
        self._tails: dict[str, tuple[Tail, asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def of(self, job_id: str, after: int) -> AsyncIterator[Tail]:
        """A job's tail, which begins after a number if nobody has it yet; it goes with the last who has it."""
        if job_id not in self._tails:
            tail = Tail(after)
            self._tails[job_id] = tail, asyncio.create_task(self._read(job_id, tail))
        tail, reading = self._tails[job_id]
        tail.followers += 1
        try:
            yield tail
        finally:
            tail.followers -= 1
            if not tail.followers:
                reading.cancel()
                self._forget(job_id, tail)

    def wake(self) -> None:
        """Have all who follow look again, for another reason than new events."""
        for tail, _ in self._tails.values():
            tail.wake()

    async def _read(self, job_id: str, tail: Tail) -> None:
        broken = True
        try:
            await self._read_on(job_id, tail)
            broken = False
        except (RedisError, OSError) as fault:
            log.warning("can't read the events of a job", job=job_id, fault=repr(fault))
        except Exception:
            log.exception("the reader of a job's events stumbled", job=job_id)
        self._forget(job_id, tail)
        tail.close(broken=broken)

    async def _read_on(self, job_id: str, tail: Tail) -> None:
        while True:
            events = await self._events.wait(job_id, tail.newest)
            tail.add(events)
            if ends(events[-1]) if events else await self._jobs.over(job_id, tail.newest):
                return

    def _forget(self, job_id: str, tail: Tail) -> None:
        """Let the next who follows have a new one."""
        if job_id in self._tails and self._tails[job_id][0] is tail:
            del self._tails[job_id]
