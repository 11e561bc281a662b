"""What is known of the workers, their images and the queue; which worker a job has to go to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from service.logic import audit
from service.process import Process
from shipway.exceptions import NotFound, Unavailable
from shipway.models.image import ImageOnWorker
from shipway.models.token import Caller, Scope
from shipway.models.worker import Worker, WorkerState
from shipway.storage.redis import reaching_redis

Choice = Literal["any", "all"] | tuple[str, ...]
"""Any one worker, all that live, or those named."""
READY_LIMIT = 3.0
"""Seconds that a readiness check may take."""


async def workers(process: Process) -> list[Worker]:
    """List the workers that are alive.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        return await process.workers.all()


async def images(process: Process, caller: Caller) -> list[ImageOnWorker]:
    """List the images on the living workers that the caller's project made or brought; an administrator sees all.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        found = await process.workers.images()
        if Scope.ADMIN in caller.scopes:
            return found
        own = await process.workers.images_of(caller.project)
    return [image for image in found if image.id in own]


async def workers_of(process: Process, caller: Caller) -> list[Worker]:
    """List the living workers that build for the caller's project; an administrator sees all.

    Raises:
        Unavailable: Redis is away.
    """
    alive = await workers(process)
    if Scope.ADMIN in caller.scopes:
        return alive
    pool = process.settings.pool_of(caller.project)
    return [worker for worker in alive if worker.pool == pool]


async def require_worker(process: Process, caller: Caller, name: str) -> None:
    """Check that a worker of this name lives, and builds for the caller's project.

    Raises:
        NotFound: none does.
    """
    if name not in {worker.name for worker in await workers_of(process, caller)}:
        raise NotFound(f"there is no worker {name!r} for this project just now", slug="worker-unknown", field="worker")


async def drain(process: Process, caller: Caller, name: str, *, on: bool) -> None:
    """Ask a worker to take no more jobs, or to take them again.

    Raises:
        NotFound: there is no worker of this name.
    """
    await require_worker(process, caller, name)
    async with reaching_redis():
        await process.workers.drain(name, on=on)
    await audit.note(process, caller, "worker.drain" if on else "worker.resume", name)


async def worker_with(process: Process, caller: Caller, wanted: Sequence[str], worker: str | None) -> str:
    """Choose a worker that has all of these images: the one named, else a ready one with the most room.

    Raises:
        NotFound: no worker has them, as far as the caller may know; the message names those that are on none.
    """
    if worker is not None:
        await require_worker(process, caller, worker)
        if Scope.ADMIN in caller.scopes:  # who may also name what the worker has not told of yet
            return worker
    room = {w.name: (w.state is WorkerState.READY, w.capacity - w.running) for w in await workers_of(process, caller)}
    having: dict[str, set[str]] = {}
    for image in await images(process, caller):
        if image.worker not in room:
            continue
        for name in (image.id, *image.tags, *image.digests):
            having.setdefault(name, set()).add(image.worker)
    gone = [image for image in wanted if image not in having]
    if gone:
        raise NotFound(f"no worker has {', '.join(gone)}", slug="image-unknown", field="image")
    names = set.intersection(*(having[image] for image in wanted))
    if worker is not None:
        names &= {worker}
    if not names:
        raise NotFound("no worker has all of these images at once; pull them to one", slug="image-unknown")
    return max(sorted(names), key=lambda name: room.get(name, (False, 0)))


async def living(process: Process, caller: Caller) -> list[str]:
    """Names of the workers that are alive and build for the caller's project; an administrator's are all.

    Raises:
        NotFound: there is none at all.
    """
    alive = [worker.name for worker in await workers_of(process, caller)]
    if not alive:
        raise NotFound("there is no worker just now", slug="worker-unknown", field="workers")
    return alive


async def chosen(process: Process, caller: Caller, wanted: Choice) -> list[str | None]:
    """Turn a choice of workers into names, one for each job; None means any worker.

    Raises:
        NotFound: a name belongs to no living worker, or there is none at all.
    """
    if wanted == "any":
        return [None]
    alive = await living(process, caller)
    if wanted == "all":
        return [*alive]
    for name in wanted:
        if name not in alive:
            raise NotFound(f"there is no worker {name!r} just now", slug="worker-unknown", field="workers")
    return list(dict.fromkeys(wanted))


async def queued(process: Process) -> dict[str, int]:
    """How many jobs wait, by the name of their queue.

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
