"""Removes what attempts that died left in a daemon."""

from __future__ import annotations

import structlog

from shipway.models.job import JobState
from shipway.storage.jobs import JobStore
from workers.engine import Engine

log = structlog.get_logger(__name__)


async def sweep(engine: Engine, jobs: JobStore, worker: str) -> None:
    """Remove containers that carry the label of an attempt which doesn't run on this worker (any more)."""
    for container in await engine.containers.labelled():
        job = await jobs.get(container.job)
        running = (
            job is not None
            and job.state is JobState.RUNNING
            and job.worker == worker
            and str(job.attempt) == container.attempt
        )
        if not running:
            log.warning("removes what a dead attempt left", container=container.id, job=container.job)
            await engine.containers.remove(container.id)
