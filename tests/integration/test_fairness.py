"""Who is served when, on a real worker with two slots."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from deploy.local.stack import Stack
from shipway.models.job import Job
from shipway.models.spec import InspectSpec
from shipway.queue import Queue
from shipway.settings import Settings
from shipway.storage.blobs import BlobStore
from shipway.storage.events import EventLog
from shipway.storage.jobs import JobStore
from shipway.storage.redis import connect

pytestmark = pytest.mark.engine_independent

T = TypeVar("T")

CROWD = 1000
"""Jobs of the project that has many."""
AT_ONCE = 8
"""How many of them are submitted, or cancelled, side by side."""


async def test_many_jobs_of_one_project_hold_up_no_other(stack: Stack) -> None:
    redis, queue = connect(stack.redis.url), Queue(stack.redis.url)
    store = JobStore(redis, Settings())
    events = EventLog(redis, BlobStore("memory://", redis, Settings().limits_of, 3600))
    spec = InspectSpec(image="base")

    async def submitted(project: str) -> str:
        job_id, _ = await store.accept(project, spec)
        await queue.enqueue(await read(job_id))
        return job_id

    async def read(job_id: str) -> Job:
        job = await store.get(job_id)
        assert job is not None
        return job

    async def bounded(work: Callable[[str], Awaitable[T]], of: list[str]) -> list[T]:
        free = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> T:
            async with free:
                return await work(name)

        return await asyncio.gather(*map(one, of))

    try:
        crowd = await bounded(submitted, ["many"] * CROWD)
        first = await submitted("few")
        async with asyncio.timeout(120):
            while not (served := await read(first)).state.final:
                await events.wait(first, served.events)
        jobs = await bounded(store.cancel, crowd)
    finally:
        await redis.aclose()
        queue.close()

    assert served.timings.started is not None
    starts = [job.timings.started for job in jobs if job and job.timings.started]
    between = [at for at in starts if served.timings.created < at < served.timings.started]
    assert len(starts) < CROWD
    assert len(between) <= stack.plan.concurrency
