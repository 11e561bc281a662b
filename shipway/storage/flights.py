"""Single flight: of equal builds that are under way at the same time one runs, and the others wait for its end."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from shipway.models.event import BODY, Joined
from shipway.settings import Settings
from shipway.storage import keys
from shipway.storage.jobs import WORKER_PREFIX, Claim, Fenced, max_running
from shipway.storage.redis import Scripts

LONGEST = 900.0
"""Seconds after which a job that waits looks for itself. It is woken by the very step that ends the other's attempt."""


@dataclass(frozen=True, slots=True)
class Leader:
    """The job that runs a build, and the worker it runs on."""

    job: str
    worker: str


class FlightStore:
    """Which job runs what, each project for itself."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._scripts = Scripts(redis)
        self._max_running = max_running(settings)
        self._retention = int(settings.retention)

    async def fly(self, project: str, question: str, job_id: str) -> Leader | None:
        """Let a job be the one that runs a build, unless one runs it already: that one is returned."""
        other = await self._scripts.call(
            "fly", [keys.flight(project, question)], [job_id, keys.job(""), self._retention]
        )
        return Leader(*other) if other else None

    async def join(self, claim: Claim, leader: str) -> None:
        """Hand a running job back, to be sent again as soon as another one stops running, however that ends.

        Raises:
            Fenced: another attempt runs, or the job has ended.
        """
        job_id = claim.job.id
        done = await self._scripts.call(
            "join",
            [
                *(keys.job(job_id), keys.events(job_id), keys.RUNNING, keys.QUEUED),
                *(keys.job(leader), keys.waiting(leader)),
            ],
            [
                *(job_id, claim.attempt, leader, LONGEST * 1000, BODY.dump_json(Joined(job=leader)).decode()),
                *(WORKER_PREFIX, self._max_running, self._retention),
            ],
        )
        if not done:
            raise Fenced(job_id)
