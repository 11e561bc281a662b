"""What is known of the workers and the queue."""

from __future__ import annotations

import asyncio

from service.process import Process
from shipway.exceptions import Unavailable
from shipway.models.worker import Worker
from shipway.storage.redis import reaching_redis

READY_LIMIT = 3.0
"""Seconds that a readiness check may take."""


async def workers(process: Process) -> list[Worker]:
    """List the workers that are alive.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        return await process.workers.all()


async def queued(process: Process) -> int:
    """How many jobs wait.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        return await process.jobs.queued()


async def check_ready(process: Process) -> None:
    """Check what the service needs to accept a job.

    Raises:
        Unavailable: Redis does not answer in time.
    """
    try:
        async with asyncio.timeout(READY_LIMIT), reaching_redis():
            await process.redis.ping()
    except TimeoutError as fault:
        raise Unavailable("Redis does not answer", slug="redis-unavailable") from fault
