"""Runs one attempt of one job: claim, phases in order, settle. Knows neither Celery nor aiodocker."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from typing import Any

import structlog
from redis.exceptions import RedisError

from shipway.exceptions import BuildSystemError, ShipwayError
from shipway.models.error import Problem
from shipway.models.event import StepStatus
from shipway.models.job import Job, JobState
from shipway.models.spec import Kind
from shipway.storage.jobs import Claim, Fenced
from workers import metrics, shutdown
from workers.keeper import Stop, watch
from workers.parts import Parts
from workers.patience import patiently
from workers.reaper import backoff
from workers.recorder import Recorder
from workers.tracing import trace_attempt
from workers.work import work_for
from workers.work.base import GivesWay

log = structlog.get_logger(__name__)

TELLING = 3.0
"""Seconds that telling which images there are may hold up the end of a job."""

TIDYING = 300.0
"""Seconds that a slot may stay with a job that has ended: a log can be large, but a hung store must not keep it."""
STOPPING = 15.0
"""Seconds that work gets to stop its daemon before it is told again."""
REMIND = 3.0
"""Seconds after which the message of a job that this worker can't take is sent again."""
CLAIMING = 30.0
"""Seconds for which a claim is tried; the message is sent again anyway."""


async def run(parts: Parts, job_id: str) -> None:
    """Run the job whose turn it is; a message for which there is none, or that comes too early, is dropped.

    The message names one that was queued when it was sent. It says that there is work, not which.
    """
    nonce = secrets.token_hex(8)
    if shutdown.stopping():
        await _remind(parts, job_id, 0)
        return
    try:
        await parts.engine.ping()
        await patiently(parts.inventory.begin, limit=CLAIMING)
    except BuildSystemError as fault:
        log.warning("takes no job: the daemon does not answer", job=job_id, fault=fault.message)
        await _remind(parts, job_id, REMIND)
        return
    settings = parts.settings
    claim = await patiently(
        lambda: parts.jobs.claim(settings.worker_name, settings.queues, job_id, nonce), limit=CLAIMING
    )
    if claim is not None:
        await _Attempt(parts, claim).run()


async def _remind(parts: Parts, job_id: str, delay: float) -> None:
    """Have the message sent again soon; should that fail, it is sent again later."""
    with suppress(RedisError, OSError):
        await parts.jobs.remind(job_id, delay)


async def _ended(task: asyncio.Task[Any], patience: float = 1.0) -> None:
    """End a task and wait until it has.

    A cancellation can get lost where a library turns it into a timeout of its own (seen once in some thousand builds,
    on a busy machine: the keeper went on renewing the lease of a job that was done). So it is repeated.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=patience)


class _Attempt:
    """One attempt, from claim to settlement."""

    def __init__(self, parts: Parts, claim: Claim) -> None:
        self._parts = parts
        self._claim = claim
        self._job = claim.job
        self._recorder = Recorder(parts.jobs, claim, parts.settings.limits_of(claim.job.project).max_log_bytes)
        self._work = work_for(parts, claim, self._recorder)
        self._told_images = False
        self._log = log.bind(job=claim.job.id, attempt=claim.attempt)

    async def run(self) -> None:
        """Run the phases under the keeper's eye, then settle."""
        kind = self._job.kind
        started = self._job.timings.started
        metrics.QUEUE_SECONDS.labels(kind).observe(max(0.0, (started or 0) - self._job.timings.created))
        metrics.RUNNING.labels(kind).inc()
        try:
            outcome = await self._settled(await self._watched())
        except Fenced:
            outcome = "fenced"
        finally:
            metrics.RUNNING.labels(kind).dec()
        metrics.JOBS.labels(kind, outcome).inc()
        self._trace(outcome)
        self._log.info("attempt ended", outcome=outcome)
        await self._tidy()

    def _trace(self, outcome: str) -> None:
        """Tell of the attempt, unless it was taken away: who took it told of it then."""
        if outcome != "fenced":
            error = "" if outcome in (JobState.SUCCEEDED, JobState.CANCELLED, "handed-back", "joined") else outcome
            went, steps = self._work.went_through, self._recorder.steps
            trace_attempt(self._parts.traces, self._job, time.time(), error, went, steps)

    async def _watched(self) -> Stop | BaseException | None:
        """Returns why the attempt was stopped, the error it ended with, or None when it is done."""
        work = asyncio.create_task(self._work.run())
        writing = asyncio.create_task(self._recorder.run())
        settings = self._parts.settings
        watching = asyncio.create_task(
            watch(
                self._parts.jobs,
                self._claim,
                self._recorder,
                lease=settings.lease,
                idle=settings.worker_idle_timeout,
            )
        )
        tasks = (work, writing, watching)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(_ended(work, STOPPING), _ended(writing), _ended(watching))
        if not work.cancelled():
            return work.exception()
        if not writing.cancelled():
            return writing.exception()
        return watching.exception() or watching.result()

    async def _settled(self, end: Stop | BaseException | None) -> str:
        """Write how it ended; returns the outcome for the metrics."""
        if isinstance(end, Fenced):
            raise end
        if isinstance(end, Stop):
            return await self._stopped(end)
        if isinstance(end, GivesWay):
            return await self._join(end.job)
        if end is None:
            self._recorder.note(self._work.result, self._work.phases)
            if not self._work.untouched:
                # Before anyone hears of success: a push or a save that follows at once must find the image.
                await self._tell_images()
            return await self._finish(JobState.SUCCEEDED)
        problem = self._recorder.concealed(self._problem(end))
        if problem.retryable and self._claim.losses + 1 < self._parts.settings.max_attempts:
            metrics.RETRIES.labels(problem.slug).inc()
            return await self._hand_back(backoff(self._claim.losses + 1), counts=True, problem=problem)
        return await self._finish(JobState.FAILED, problem)

    async def _stopped(self, why: Stop) -> str:
        if why is Stop.FENCED:
            raise Fenced(self._job.id)
        if why is Stop.CANCELLED:
            return await self._finish(JobState.CANCELLED)
        if why in (Stop.SHUTDOWN, Stop.CUT_OFF):  # an outage of Redis is nobody's failed attempt either
            return await self._hand_back(0.0, counts=False, problem=None)
        texts = {
            Stop.TIMEOUT: f"the job ran longer than its limit of {self._job.spec.timeout:g} s",
            Stop.STUCK: f"the job gave no sign of life for {self._parts.settings.worker_idle_timeout:g} s",
        }
        return await self._finish(JobState.FAILED, Problem(slug=why, message=texts[why]))

    def _problem(self, end: object) -> Problem:
        if isinstance(end, ShipwayError):
            return Problem.of(end)
        self._log.error("unexpected error", exc_info=end if isinstance(end, BaseException) else None)
        fault = BuildSystemError(
            "something unexpected went wrong in the worker; its log tells more", slug="internal-error"
        )
        return Problem.of(fault)

    async def _tell_images(self) -> None:
        parts = self._parts
        try:
            async with asyncio.timeout(TELLING):
                await parts.inventory.take_in(self._job.model_copy(update={"result": self._work.result}))
            self._told_images = True
        except (ShipwayError, RedisError, OSError) as fault:
            self._log.warning("can't tell which images are here; the attendant does so soon", fault=repr(fault))

    async def _tidy(self) -> None:
        """What can be done later as well, and must not change how the attempt ended."""
        if not self._told_images:
            await self._tell_images()
        try:
            async with asyncio.timeout(TIDYING):
                job = await self._parts.jobs.get(self._job.id)
                if job is not None and job.state.final:
                    await self._count(job)
                    await self._parts.events.archive(job.project, job.id, self._parts.settings.retention)
        except (ShipwayError, RedisError, OSError) as fault:
            self._log.warning("can't tidy up; the events stay in Redis", fault=repr(fault))

    async def _count(self, job: Job) -> None:
        """Count this attempt's build in the trends; one that was cancelled says nothing of how long builds take."""
        if job.kind is Kind.BUILD and job.attempt == self._claim.attempt and job.state is not JobState.CANCELLED:
            await self._parts.trends.count(job)

    async def _finish(self, state: JobState, problem: Problem | None = None) -> str:
        self._recorder.close_steps(
            StepStatus.CANCELLED if state is JobState.CANCELLED else StepStatus.FAILED, time.time()
        )
        await self._recorder.flush()
        job_id, attempt = self._job.id, self._claim.attempt
        await patiently(lambda: self._parts.jobs.settle(job_id, attempt, state, error=problem))
        return problem.slug if problem else str(state)

    async def _join(self, leader: str) -> str:
        await self._recorder.flush()
        await patiently(lambda: self._parts.flights.join(self._claim, leader))
        return "joined"

    async def _hand_back(self, delay: float, *, counts: bool, problem: Problem | None) -> str:
        self._recorder.close_steps(StepStatus.CANCELLED, time.time())
        await self._recorder.flush()
        job_id, attempt = self._job.id, self._claim.attempt
        await patiently(lambda: self._parts.jobs.requeue(job_id, attempt, delay=delay, counts=counts, error=problem))
        return "retried" if counts else "handed-back"
