"""What one project may use, so that there is something left for the others.

Where a limit is kept: queued and running jobs in the scripts that accept and claim, stored bytes in
`BlobStore.storing`, the size of a context in `shipway.context.limits`, the length of a log in the worker's recorder.
"""

from __future__ import annotations

from service.process import Process
from shipway.exceptions import InvalidRequest, TooMany
from shipway.models.spec import Spec
from shipway.storage.redis import reaching_redis

QUEUE_MOVES = 10.0
"""Seconds after which a place in a full queue may have become free."""


async def pace(process: Process, project: str) -> None:
    """Count one request of a project.

    Raises:
        TooMany: it makes more per second than it may.
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        seconds = await process.pace.wait(project)
    if seconds:
        raise TooMany(
            f"the project makes more than {process.settings.limits_of(project).max_requests:g} requests per second; "
            f"wait {seconds:.1f} s",
            slug="too-many-requests",
            after=seconds,
        )


def check_timeout(process: Process, project: str, spec: Spec) -> None:
    """Raise InvalidRequest (`timeout-too-long`) when a spec asks to run for longer than a job may."""
    longest = process.settings.limits_of(project).max_timeout
    if spec.timeout > longest:
        raise InvalidRequest(f"a job may run for {longest:g} s at most", slug="timeout-too-long", field="timeout")


def queue_full(process: Process, project: str) -> TooMany:
    """What is told when a project has as many queued jobs as it may."""
    most = process.settings.limits_of(project).max_queued
    return TooMany(
        f"the project has {most} jobs queued, which is as many as it may; wait for some to end",
        slug="too-many-jobs",
        after=QUEUE_MOVES,
    )
