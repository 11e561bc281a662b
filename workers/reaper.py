"""Sees to what nobody else does: sends queued jobs again, takes back jobs of workers that died, removes what expired.

Runs in every worker; a lock in Redis makes it one at a time.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError

from shipway.exceptions import ShipwayError, Unavailable
from shipway.models.error import Problem
from shipway.models.job import Job
from shipway.queue import Queue
from shipway.storage.blobs import BlobStore
from shipway.storage.jobs import JobStore
from shipway.storage.workers import WorkerRegistry
from shipway.telemetry import Traces
from workers import metrics
from workers.tracing import trace_attempt

log = structlog.get_logger(__name__)

ROUND = 1.0
"""Seconds between two rounds."""
LIMIT = 20.0
"""Seconds that one round may take."""
LEAD = 5.0
"""Seconds that one worker stays the reaper unless it renews."""
RETURNING = 0.5
"""Part of a lease that the others get, after Redis was away, to renew theirs or hand back: none of them is dead."""
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
    lease: float
    traces: Traces

    async def run(self) -> None:
        """Go round for ever; a round that fails is tried again."""
        patient_until = 0.0
        while True:
            try:
                async with asyncio.timeout(LIMIT):
                    if await self.workers.lead(self.name, LEAD):
                        await self.reap(take_back=time.monotonic() > patient_until)
            except (RedisError, OSError, ShipwayError) as fault:
                log.warning("the reaper can't do its round", fault=repr(fault))
                patient_until = time.monotonic() + ROUND + RETURNING * self.lease
            except Exception:
                log.exception("the reaper stumbled")
            await asyncio.sleep(ROUND)

    async def reap(self, *, take_back: bool = True) -> None:
        """One round."""
        overdue = await self.jobs.overdue()
        for job_id in overdue.lost if take_back else ():
            await self._take_back(job_id)
        for job_id, queue in overdue.to_send.items():
            await self._send_again(job_id, queue)
        await self.blobs.expire()

    async def _send_again(self, job_id: str, queue: str) -> None:
        job = await self._read(job_id)
        if job is not None and await self.queue.enqueue(job, queue=queue):
            metrics.RESENT.inc()

    async def _take_back(self, job_id: str) -> None:
        delay = backoff(await self.jobs.losses(job_id) + 1)
        lost = await self._read(job_id)
        if state := await self.jobs.expire(job_id, LOST, delay):
            metrics.LEASES_LOST.inc()
            log.warning("took back a job whose worker went silent", job=job_id, state=state)
            if lost is not None:
                trace_attempt(self.traces, lost, time.time(), LOST.slug)

    async def _read(self, job_id: str) -> Job | None:
        """A job's record; None when there is none that this version can read."""
        try:
            return await self.jobs.get(job_id)
        except Unavailable as fault:
            log.warning("leaves a job to newer workers", job=job_id, fault=fault.message)
            return None
