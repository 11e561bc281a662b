"""Sees to what nobody else does: sends queued jobs again, takes back jobs of workers that died, removes what expired.

Runs in every worker; a lock in Redis makes it one at a time.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError

from shipway.exceptions import ShipwayError
from shipway.models.error import Problem
from shipway.queue import Queue
from shipway.storage.blobs import BlobStore
from shipway.storage.jobs import JobStore
from shipway.storage.workers import WorkerRegistry
from workers import metrics

log = structlog.get_logger(__name__)

ROUND = 1.0
"""Seconds between two rounds."""
LEAD = 5.0
"""Seconds that one worker stays the reaper unless it renews."""
LOST = Problem(
    slug="worker-lost",
    message="the worker that ran this job stopped answering",
    retryable=True,
)


def backoff(losses: int) -> float:
    """Seconds to wait before the next attempt: doubles from 1 s to 30 s, with half of it at random."""
    full: float = min(30.0, 2.0 ** min(losses, 5))
    return full / 2 + random.uniform(0, full / 2)  # noqa: S311  (spreads load; no secret)


@dataclass(frozen=True, slots=True)
class Reaper:
    """One worker's turn at the common chores."""

    name: str
    jobs: JobStore
    workers: WorkerRegistry
    blobs: BlobStore
    queue: Queue

    async def run(self) -> None:
        """Go round for ever; a round that fails is tried again."""
        while True:
            try:
                if await self.workers.lead(self.name, LEAD):
                    await self.reap()
            except (RedisError, OSError, ShipwayError) as fault:
                log.warning("the reaper can't do its round", fault=repr(fault))
            await asyncio.sleep(ROUND)

    async def reap(self) -> None:
        """One round."""
        overdue = await self.jobs.overdue()
        for job_id in overdue.lost:
            state = await self.jobs.expire(job_id, LOST, backoff(1))
            if state:
                metrics.LEASES_LOST.inc()
                log.warning("took back a job whose worker went silent", job=job_id, state=state)
        for job_id in overdue.to_send:
            job = await self.jobs.get(job_id)
            if job is not None and await self.queue.enqueue(job):
                metrics.RESENT.inc()
        await self.blobs.expire()
