"""Removes what attempts that died left in a daemon."""

from __future__ import annotations

import time

import structlog

from shipway.models.job import JobState
from shipway.storage.jobs import JobStore
from workers.engine import Engine

log = structlog.get_logger(__name__)

STRANGE = 86_400.0
"""Seconds that a container stays whose job nobody here knows: it may be another installation's on the same daemon."""


async def sweep(engine: Engine, jobs: JobStore, strange: float = STRANGE) -> None:
    """Remove the containers of attempts that don't run any more, on this worker or on another of the same daemon."""
    for container in await engine.containers.owned():
        job = await jobs.get(container.owner.job)
        if job is None:
            left = time.time() - container.created >= strange
        else:
            left = job.state is not JobState.RUNNING or job.attempt != container.owner.attempt
        if left:
            log.warning("removes what a dead attempt left", container=container.id, job=container.owner.job)
            await engine.containers.remove(container.id)
