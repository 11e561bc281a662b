"""Keeps a running attempt's lease, and tells it when to stop. Runs on the job's own loop: a stuck loop loses."""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum

import structlog
from redis.exceptions import RedisError

from shipway.storage.jobs import Claim, Fenced, JobStore
from workers import shutdown
from workers.recorder import Recorder

log = structlog.get_logger(__name__)

LOOK = 0.5
"""Seconds between two looks whether the job is to stop."""


class Stop(StrEnum):
    """Why an attempt has to stop before it is done."""

    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    FENCED = "fenced"
    CUT_OFF = "cut-off"
    SHUTDOWN = "shutdown"
    STUCK = "stuck"


async def watch(jobs: JobStore, claim: Claim, recorder: Recorder, *, lease: float, idle: float) -> Stop:
    """Renew the lease every third of its length; return as soon as there is a reason to stop.

    Args:
        jobs: the records.
        claim: the attempt to watch over.
        recorder: tells how long the attempt has been silent.
        lease: seconds that a lease holds. An attempt that can't renew stops before it ends.
        idle: seconds without any event after which an attempt counts as stuck.

    Returns:
        `FENCED` when Redis says that the lease is lost; `CUT_OFF` when Redis can't be asked and it may be soon.
    """
    started = renewed = time.monotonic()
    while True:
        await asyncio.sleep(LOOK)
        now = time.monotonic()
        if now - started > claim.job.spec.timeout:
            return Stop.TIMEOUT
        if recorder.silence > idle:
            return Stop.STUCK
        if shutdown.overdue():
            return Stop.SHUTDOWN
        try:
            async with asyncio.timeout(lease / 6):  # or one slow answer could outlast the lease
                if await jobs.cancel_requested(claim.job.id):
                    return Stop.CANCELLED
                if now - renewed >= lease / 3:
                    await jobs.renew(claim.job.id, claim.attempt)
                    renewed = now
        except Fenced:
            return Stop.FENCED
        except (RedisError, OSError, TimeoutError) as fault:
            log.warning("can't reach Redis to keep a lease", job=claim.job.id, fault=repr(fault))
        if time.monotonic() - renewed > lease * 0.75:
            return Stop.CUT_OFF
