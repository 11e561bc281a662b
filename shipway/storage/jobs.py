"""Job records in Redis. The record is the truth; every transition is one atomic, fenced script."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, cast

from pydantic import BaseModel
from redis.asyncio import Redis
from ulid import ULID

from shipway.exceptions import Unavailable
from shipway.models.error import Problem
from shipway.models.event import BODY, EventBody, Step
from shipway.models.job import Job, JobState, Result, Timings, cache_hit_ratio
from shipway.models.spec import SPEC, BuildSpec, Kind, Spec
from shipway.settings import Settings
from shipway.storage import keys
from shipway.storage.lineages import lineage_digest
from shipway.storage.redis import Scripts

VERSION = 1
"""Of records and of what belongs to them. Fields that are added don't change it, for who doesn't know them passes over
them. It is raised when an older worker must not take such a job: it leaves the job to those that know."""
RESEND = 15.0
"""Seconds after which the message of a job that is still queued is sent again."""
ACCEPTING = 10.0
"""Seconds within which Redis must accept a job: less than the service waits, so that who was refused stays refused."""
WORKER_PREFIX = keys.worker("")
BATCH = 100
FULL = -1


class Fenced(Exception):
    """The attempt that writes is not the one that runs: the lease was lost, or the job has ended."""


class Full(Exception):
    """The project has as many queued jobs as it may."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to run one attempt of a job."""

    job: Job
    attempt: int
    losses: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """What the reaper has to see to.

    Attributes:
        to_send: ids of queued jobs whose message is due, and the queue it goes to.
        lost: ids of running jobs whose lease ended.
    """

    to_send: dict[str, str]
    lost: list[str]


class JobStore:
    """All reads and writes of job records."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._settings = settings
        self._retention = int(settings.retention)
        self._max_running = max_running(settings)

    async def accept(
        self, project: str, spec: Spec, sealed: str = "", idempotency: tuple[str, str] | None = None, trace: str = ""
    ) -> tuple[str, Job | None]:
        """Write a new record in state `queued`, and place a build at the worker that has its steps most likely.

        Args:
            project: the tenant it belongs to.
            spec: what was asked.
            sealed: encrypted credentials that travel with it.
            idempotency: the client's key, and a fingerprint of the whole request.
            trace: where in a trace it is asked for.

        Returns:
            The job's id and its record; or, when the key was used before, `id fingerprint` of then and None.

        Raises:
            Full: the project has as many queued jobs as it may.
            RedisError: nothing was accepted, but for an answer that was lost on its way. A Redis that hangs does not
                accept the job later, when nobody waits for it any more.
        """
        deadline = await self._now_ms() + ACCEPTING * 1000
        job_id = str(ULID())
        key, mark = idempotency or ("", "")
        limits = self._settings.limits_of(project)
        made = await self._scripts.call(
            "accept",
            [
                keys.job(job_id),
                keys.events(job_id),
                keys.jobs(project),
                keys.QUEUED,
                keys.credentials(job_id),
                keys.idempotency(project, key),
                keys.queued(project),
            ],
            [
                job_id,
                self._retention,
                RESEND * 1000,
                f"{job_id} {mark}" if key else "",
                sealed,
                keys.job(""),
                limits.max_jobs,
                deadline,
                limits.max_queued,
                *("version", VERSION, "project", project, "kind", spec.kind),
                *("queue", spec.queue(self._settings.pool_of(project))),
                *("priority", str(spec.priority), "spec", spec.model_dump_json()),
                *(("trace", trace) if trace else ()),
                *self._placing(project, spec),
            ],
        )
        if made == FULL:
            raise Full(project)
        return (made, None) if isinstance(made, str) else (job_id, _job(_fields(made)))

    def _placing(self, project: str, spec: Spec) -> tuple[str, ...]:
        """What decides where a job is placed (`scripts/placing.lua`), as fields of its record."""
        if spec.worker is not None:
            return ()
        lineage = ("lineage", lineage_digest(project, spec)) if isinstance(spec, BuildSpec) else ()
        return ("patience", str(self._settings.placement_wait * 1000), *lineage)

    async def get(self, job_id: str) -> Job | None:
        """Read a record, or None when there is none.

        Raises:
            Unavailable: a newer version of Shipway wrote it.
        """
        fields: Any = await self._redis.hgetall(keys.job(job_id))
        return _job(fields) if fields else None

    async def over(self, job_id: str, after: int) -> bool:
        """Whether no event can come after number `after`: the job has ended, or its record is gone."""
        state, events = cast("list[str | None]", await self._redis.hmget(keys.job(job_id), "state", "events"))
        return state is None or (JobState(state).final and after >= int(events or 0))

    async def page(self, project: str, before: str | None, limit: int) -> list[Job]:
        """Read a project's newest jobs, newest first, older than the job `before`.

        Raises:
            Unavailable: a newer version of Shipway wrote one of them.
        """
        newest = "+inf"
        if before is not None:
            score = await self._redis.zscore(keys.jobs(project), before)
            newest = f"({score}" if score is not None else "-inf"
        ids: Any = await self._redis.zrange(
            keys.jobs(project), newest, "-inf", desc=True, byscore=True, offset=0, num=limit
        )
        pipe = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipe.hgetall(keys.job(job_id))
        return [_job(fields) for fields in await pipe.execute() if fields]

    async def claim(
        self, worker: str, queues: Sequence[str], named: str = "", nonce: str | None = None
    ) -> Claim | None:
        """Take the queued job whose turn it is for this worker, or None when there is none.

        Args:
            worker: who takes it.
            queues: the queues it reads; a job of the first one goes before its equals of the next.
            named: the job that the message names; it is taken before its equals of the same project.
            nonce: a claim whose answer was lost may be made again with the same one.
        """
        taken = await self._scripts.call(
            "claim",
            [keys.QUEUED, keys.RUNNING, keys.worker_jobs(worker), keys.TURNS],
            [
                *(worker, self._settings.lease * 1000, self._retention),
                *(nonce or token_hex(8), keys.job(""), named),
                *(self._max_running, VERSION),
                *queues,
            ],
        )
        if not taken:
            return None
        fields = _fields(taken)
        return Claim(_job(fields), int(fields["attempt"]), int(fields.get("losses", 0)))

    async def append(
        self, claim: Claim, batch: int, bodies: list[EventBody], fields: dict[str, str] | None = None
    ) -> None:
        """Append events, and set fields of the record with them.

        A batch has a number, so that one sent again after a lost answer counts once.

        Raises:
            Fenced: another attempt runs, or the job has ended.
        """
        encoded = [BODY.dump_json(body, exclude_none=True).decode() for body in bodies]
        job_id = claim.job.id
        last = await self._scripts.call(
            "append",
            [keys.job(job_id), keys.events(job_id)],
            [claim.attempt, batch, len(encoded), *encoded, *(x for pair in (fields or {}).items() for x in pair)],
        )
        if last < 0:
            raise Fenced(job_id)

    async def renew(self, job_id: str, attempt: int) -> bool:
        """Renew the lease; returns whether the job is to be cancelled.

        Raises:
            Fenced: the lease is lost.
        """
        answer = await self._scripts.call(
            "renew", [keys.job(job_id), keys.RUNNING], [job_id, attempt, self._settings.lease * 1000]
        )
        if answer < 0:
            raise Fenced(job_id)
        return bool(answer)

    async def cancel_requested(self, job_id: str) -> bool:
        """Whether somebody asked to cancel; a read, cheap enough to be asked twice a second."""
        return await self._redis.hget(keys.job(job_id), "cancel") == "1"

    async def settle(self, job_id: str, attempt: int, state: JobState, *, error: Problem | None = None) -> None:
        """Enter a final state.

        Raises:
            Fenced: another attempt runs, or the job has ended.
        """
        done = await self._scripts.call(
            "settle",
            [keys.job(job_id), keys.events(job_id), keys.RUNNING, keys.credentials(job_id), keys.QUEUED],
            [
                *(job_id, attempt, state, _dump_error(error)),
                *(self._retention, WORKER_PREFIX, self._max_running),
            ],
        )
        if not done:
            raise Fenced(job_id)

    async def requeue(self, job_id: str, attempt: int, *, delay: float, counts: bool, error: Problem | None) -> None:
        """Hand a running job back to the queue, due again after `delay` seconds.

        Raises:
            Fenced: another attempt runs, or the job has ended.
        """
        done = await self._scripts.call(
            "requeue",
            [keys.job(job_id), keys.events(job_id), keys.RUNNING, keys.QUEUED],
            [
                *(job_id, attempt, delay * 1000, int(counts)),
                *(_dump_error(error), WORKER_PREFIX, self._max_running),
            ],
        )
        if not done:
            raise Fenced(job_id)

    async def cancel(self, job_id: str) -> Job | None:
        """Cancel a job: at once when queued, through its worker when running; None when there is none."""
        await self._scripts.call(
            "cancel",
            [keys.job(job_id), keys.events(job_id), keys.QUEUED, keys.credentials(job_id)],
            [job_id, self._retention],
        )
        return await self.get(job_id)

    async def _now_ms(self) -> float:
        seconds, micros = await self._redis.time()
        return float(seconds) * 1000 + float(micros) / 1000

    async def remind(self, job_id: str, delay: float) -> None:
        """Have the message of a job that is still queued sent again in `delay` seconds, if not sooner."""
        due = await self._now_ms() + delay * 1000
        await self._redis.zadd(keys.QUEUED, {job_id: due}, xx=True, lt=True)

    async def losses(self, job_id: str) -> int:
        """How many attempts of a job were lost so far."""
        return int(await self._redis.hget(keys.job(job_id), "losses") or 0)

    async def overdue(self) -> Overdue:
        """Find queued jobs whose message is due to be sent (again) and running ones whose lease ended."""
        to_send, lost = await self._scripts.call(
            "overdue", [keys.QUEUED, keys.RUNNING], [RESEND * 1000, BATCH, self._retention, keys.job("")]
        )
        return Overdue(dict(zip(to_send[::2], to_send[1::2], strict=True)), lost)

    async def expire(self, job_id: str, error: Problem, delay: float) -> str:
        """Take back a job whose lease ended; returns its new state, or '' if there was nothing to do."""
        state: str = await self._scripts.call(
            "expire",
            [keys.job(job_id), keys.events(job_id), keys.RUNNING, keys.QUEUED, keys.credentials(job_id)],
            [
                *(job_id, self._settings.max_attempts, delay * 1000),
                *(_dump_error(error), self._retention, WORKER_PREFIX, self._max_running),
            ],
        )
        return state

    async def credentials(self, job_id: str) -> str:
        """Read the sealed credentials that travel with a job; '' when there are none."""
        return cast("str | None", await self._redis.get(keys.credentials(job_id))) or ""

    async def queued(self) -> dict[str, int]:
        """How many jobs wait, by the name of their queue."""
        ids = cast("list[str]", await self._redis.zrange(keys.QUEUED, 0, -1))
        pipe = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipe.hget(keys.job(job_id), "queue")
        return dict(Counter(queue for queue in await pipe.execute() if queue))


def max_running(settings: Settings) -> str:
    """How many jobs of each project may run at once, as scripts read it: JSON, in which '' is any other project."""
    own = {project: limits.max_running for project, limits in settings.limits_by_project.items()}
    return json.dumps({"": settings.max_running, **own})


def record_fields(
    steps: tuple[Step, ...] | None = None, result: Result | None = None, phases: dict[str, float] | None = None
) -> dict[str, str]:
    """Encode the parts of a record that an attempt fills in, for `append`."""
    fields = {}
    if steps is not None:
        fields["steps"] = "[" + ",".join(step.model_dump_json(exclude_none=True) for step in steps) + "]"
    if result is not None:
        fields["result"] = result.model_dump_json()
    if phases is not None:
        fields["phases"] = json.dumps(phases)
    return fields


def _dump_error(error: BaseModel | None) -> str:
    return error.model_dump_json(exclude_none=True) if error else ""


def _fields(told: list[str]) -> dict[str, str]:
    """A record as a script tells it: names and values in turn."""
    return dict(zip(told[::2], told[1::2], strict=True))


def _job(fields: dict[str, str]) -> Job:
    version = int(fields["version"])
    if version > VERSION:
        raise Unavailable(
            "a newer version of Shipway wrote this job; ask again, once every part runs that version",
            slug="record-newer",
        )

    def loaded(name: str, default: Any) -> Any:
        return json.loads(fields[name]) if name in fields else default

    def seconds(name: str) -> float | None:
        return float(fields[name]) if name in fields else None

    steps = tuple(Step.model_validate(step) for step in loaded("steps", []))
    return Job(
        version=version,
        id=fields["id"],
        project=fields["project"],
        queue=fields["queue"],
        kind=Kind(fields["kind"]),
        state=JobState(fields["state"]),
        attempt=int(fields["attempt"]),
        worker=fields.get("worker"),
        placed=fields.get("placed"),
        cancel_requested=fields.get("cancel") == "1",
        waited_for=fields.get("waited_for"),
        spec=SPEC.validate_json(fields["spec"]),
        timings=Timings(
            created=float(fields["created"]),
            started=seconds("started"),
            finished=seconds("finished"),
            queued=seconds("queued"),
            phases=loaded("phases", {}),
        ),
        steps=steps,
        cache_hit_ratio=cache_hit_ratio(steps),
        result=Result.model_validate(loaded("result", {})),
        error=loaded("error", None),
        trace=fields.get("trace"),
        events=int(fields["events"]),
    )
