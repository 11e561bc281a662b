"""A job's record under every order of events: a model of what must hold, run against the scripts in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
)

from shipway.models.error import Problem
from shipway.models.event import LogChunk, StateChanged
from shipway.models.job import Job, JobState
from shipway.models.spec import SHARED_QUEUE, BuildSpec, own_queue
from shipway.settings import Settings
from shipway.storage import keys
from shipway.storage.blobs import BlobStore
from shipway.storage.events import EventLog
from shipway.storage.jobs import Claim, Fenced, Full, JobStore
from shipway.storage.redis import connect
from tests.integration.contexts import once

T = TypeVar("T")
MAX_ATTEMPTS = 3
FEW = 3
"""Jobs at once: with more, too little happens to each of them."""
FAR = 10**14
"""A time in the future, in milliseconds."""
WORKERS = st.sampled_from(["one", "two"])
FINAL = st.sampled_from([JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])
PROBLEM = Problem(slug="worker-lost", message="gone")
SPEC = BuildSpec(context="sha256:" + "0" * 64)
SPECS = st.builds(
    lambda priority, worker: SPEC.model_copy(update={"priority": priority, "worker": worker}),
    st.sampled_from([0, 5]),
    st.sampled_from([None, None, "one"]),
)
PROJECTS = st.sampled_from(["p", "q"])
LIMITS = Settings(
    max_attempts=MAX_ATTEMPTS, max_queued=2, max_running=2, project_limits={"q": {"max_queued": 3, "max_running": 1}}
)


def queues(worker: str) -> list[str]:
    return [own_queue(worker), SHARED_QUEUE]


@dataclass
class Expected:
    """What a job must be now."""

    project: str = "p"
    spec: BuildSpec = SPEC
    created: float = 0.0
    state: JobState = JobState.QUEUED
    attempt: int = 0
    worker: str | None = None
    losses: int = 0
    cancel: bool = False
    sealed: bool = False
    events: int = 1
    ended: Job | None = None
    closed: bool = False
    texts: list[str] = field(default_factory=list)

    def holds(self, claim: Claim) -> bool:
        """Whether this claim is the one that may write."""
        return self.state is JobState.RUNNING and self.attempt == claim.attempt

    def move(self, state: JobState) -> None:
        self.state = state
        self.events += 1


class JobStates(RuleBasedStateMachine):
    """Two workers, a reaper and clients do to a few jobs whatever comes into their heads."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.redis = connect(self.url)
        self.store = JobStore(self.redis, LIMITS)
        self.log = EventLog(self.redis, BlobStore("memory://", self.redis, LIMITS.limits_of, 3600))
        self.expected: dict[str, Expected] = {}
        self.served: list[str] = []
        self.batch = 0
        self.run(self.redis.flushdb())

    @property
    def living(self) -> int:
        """How many jobs have not ended."""
        return sum(not expected.state.final for expected in self.expected.values())

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(work)

    def fenced(self, work: Coroutine[Any, Any, object]) -> bool:
        """Whether a write is refused because its attempt is not the one that runs."""
        try:
            self.run(work)
        except Fenced:
            return True
        return False

    async def jobs_of(self, worker: str) -> set[str]:
        return cast("set[str]", await self.redis.smembers(keys.worker_jobs(worker)))

    def teardown(self) -> None:
        self.run(self.redis.aclose())
        self.loop.close()

    def count(self, project: str, state: JobState) -> int:
        """How many jobs of a project are in a state."""
        return sum(one.project == project and one.state is state for one in self.expected.values())

    def accepted(self, job_id: str, project: str, spec: BuildSpec, *, sealed: bool) -> str:
        job = self.run(self.store.get(job_id))
        assert job is not None
        self.expected[job_id] = Expected(project, spec, job.timings.created, sealed=sealed)
        return job_id

    def whose_turn(self, worker: str, named: str) -> str | None:
        """The job that a message must lead to."""
        waiting = {
            job_id: (one.spec.priority, queues(worker).index(one.spec.queue()), job_id != named, one.created, job_id)
            for job_id, one in self.expected.items()
            if one.state is JobState.QUEUED
            and one.spec.queue() in queues(worker)
            and self.count(one.project, JobState.RUNNING) < LIMITS.limits_of(one.project).max_running
        }
        turns = [
            (self.count(project, JobState.RUNNING), _last(self.served, project), project)
            for project in {self.expected[job_id].project for job_id in waiting}
        ]
        if not turns:
            return None
        *_, project = min(turns)
        return min(rank for job_id, rank in waiting.items() if self.expected[job_id].project == project)[-1]

    @precondition(lambda self: self.living < FEW)
    @rule(target=jobs, project=PROJECTS, spec=SPECS, sealed=st.booleans())
    def accept(self, project: str, spec: BuildSpec, sealed: bool) -> Any:
        full = self.count(project, JobState.QUEUED) >= LIMITS.limits_of(project).max_queued
        try:
            job_id, new = self.run(self.store.accept(project, spec, "sealed" if sealed else ""))
        except Full:
            assert full
            return multiple()
        assert new
        assert not full
        return self.accepted(job_id, project, spec, sealed=sealed)

    @precondition(lambda self: self.living < FEW)
    @rule(target=jobs, key=st.sampled_from("ab"))
    def accept_with_a_key(self, key: str) -> Any:
        try:
            answer, new = self.run(self.store.accept("p", SPEC, "", (key, f"mark-{key}")))
        except Full:
            assert self.count("p", JobState.QUEUED) >= LIMITS.limits_of("p").max_queued
            return multiple()
        if new:
            return self.accepted(answer, "p", SPEC, sealed=False)
        job_id, _, mark = answer.partition(" ")
        assert job_id in self.expected
        assert mark == f"mark-{key}"
        return multiple()

    @rule(target=claims, job_id=jobs, worker=WORKERS)
    def claim(self, job_id: str, worker: str) -> Any:
        """A message arrives: the first, or one too many."""
        nonce, turn = once(), self.whose_turn(worker, job_id)
        claim = self.run(self.store.claim(worker, queues(worker), job_id, nonce))
        if turn is None:
            assert claim is None
            return multiple()
        assert claim is not None
        assert claim.job.id == turn
        expected = self.expected[turn]
        self.served.append(expected.project)
        expected.attempt += 1
        expected.worker = worker
        expected.move(JobState.RUNNING)
        assert (claim.attempt, claim.losses) == (expected.attempt, expected.losses)
        # Its answer was lost, and it asks again.
        assert self.run(self.store.claim(worker, queues(worker), job_id, nonce)) == claim
        return claim

    @rule(
        claim=claims, texts=st.lists(st.sampled_from(["a", "b\n", "ü"]), min_size=1, max_size=4), repeat=st.booleans()
    )
    def append(self, claim: Claim, texts: list[str], repeat: bool) -> None:
        expected = self.expected[claim.job.id]
        self.batch += 1
        bodies = [LogChunk(text=text) for text in texts]
        for _ in range(1 + repeat):
            refused = self.fenced(self.store.append(claim, self.batch, [*bodies], {"phases": '{"build": 1}'}))
            assert refused is not expected.holds(claim)
        if expected.holds(claim):
            expected.events += len(texts)
            expected.texts += texts

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        expected = self.expected[claim.job.id]
        if expected.holds(claim):
            assert self.run(self.store.renew(claim.job.id, claim.attempt)) is expected.cancel
        else:
            assert self.fenced(self.store.renew(claim.job.id, claim.attempt))

    @rule(claim=claims, state=FINAL)
    def settle(self, claim: Claim, state: JobState) -> None:
        expected = self.expected[claim.job.id]
        error = PROBLEM if state is JobState.FAILED else None
        refused = self.fenced(self.store.settle(claim.job.id, claim.attempt, state, error=error))
        assert refused is not expected.holds(claim)
        if not refused:
            expected.move(state)

    @rule(claim=claims, counts=st.booleans())
    def requeue(self, claim: Claim, counts: bool) -> None:
        expected = self.expected[claim.job.id]
        refused = self.fenced(
            self.store.requeue(claim.job.id, claim.attempt, delay=0, counts=counts, error=PROBLEM if counts else None)
        )
        assert refused is not expected.holds(claim)
        if not refused:
            expected.losses += counts
            expected.move(JobState.QUEUED)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        expected = self.expected[job_id]
        if expected.state is JobState.QUEUED:
            expected.move(JobState.CANCELLED)
        expected.cancel |= expected.ended is None
        job = self.run(self.store.cancel(job_id))
        assert job is not None
        assert job.state is expected.state

    @rule(job_id=jobs, over=st.booleans())
    def expire(self, job_id: str, over: bool) -> None:
        """The reaper comes by; the lease has ended, or it has not."""
        expected = self.expected[job_id]
        self.run(self.redis.zadd(keys.RUNNING, {job_id: 1 if over else FAR}, xx=True))
        state = self.run(self.store.expire(job_id, PROBLEM, 0))
        if not over or expected.state is not JobState.RUNNING:
            assert state == ""
            return
        expected.losses += 1
        lost_for_good = JobState.FAILED if expected.losses >= MAX_ATTEMPTS else JobState.QUEUED
        expected.move(JobState.CANCELLED if expected.cancel else lost_for_good)
        assert state == expected.state

    @rule(job_id=jobs)
    def look_for_what_is_due(self, job_id: str) -> None:
        """One job's message is due to be sent again, and its lease has ended, if it has one."""
        self.run(self.redis.zadd(keys.QUEUED, {job_id: 1}, xx=True))
        self.run(self.redis.zadd(keys.RUNNING, {job_id: 1}, xx=True))
        state, overdue = self.expected[job_id].state, self.run(self.store.overdue())
        assert (job_id in overdue.to_send) is (state is JobState.QUEUED)
        assert (job_id in overdue.lost) is (state is JobState.RUNNING)
        assert job_id not in self.run(self.store.overdue()).to_send  # it was put off

    @invariant()
    def records_are_as_expected(self) -> None:
        for job_id, expected in self.expected.items():
            job = self.run(self.store.get(job_id))
            assert job is not None
            assert (job.state, job.attempt, job.worker) == (expected.state, expected.attempt, expected.worker)
            assert (job.cancel_requested, job.events) == (expected.cancel, expected.events)
            if expected.ended is None and job.state.final:
                expected.ended = job
            assert expected.ended in (None, job)  # what has ended never changes again

    @invariant()
    def events_are_without_gaps_and_nothing_outlives_its_time(self) -> None:
        for job_id, expected in self.expected.items():
            if expected.closed:
                continue  # that nothing is added to it any more shows in its record
            expected.closed = expected.state.final
            events = self.run(self.log.read(job_id))
            assert [event.seq for event in events] == list(range(1, expected.events + 1))
            assert [event.attempt for event in events] == sorted(event.attempt for event in events)
            assert [e.body.text for e in events if isinstance(e.body, LogChunk)] == expected.texts
            last = [e.body.state for e in events if isinstance(e.body, StateChanged)][-1]
            assert last == expected.state
            if expected.closed:
                assert isinstance(events[-1].body, StateChanged)
            assert self.run(self.redis.ttl(keys.events(job_id))) > 0
            assert self.run(self.redis.ttl(keys.job(job_id))) > 0
            kept = bool(self.run(self.store.credentials(job_id)))
            assert kept is (expected.sealed and not expected.closed)  # secrets live no longer than their job

    @invariant()
    def sets_agree_with_the_records(self) -> None:
        states = {job_id: expected.state for job_id, expected in self.expected.items()}
        running = {job_id for job_id, state in states.items() if state is JobState.RUNNING}
        assert set(self.run(self.redis.zrange(keys.RUNNING, 0, -1))) == running
        queued = {job_id for job_id, state in states.items() if state is JobState.QUEUED}
        assert set(self.run(self.redis.zrange(keys.QUEUED, 0, -1))) == queued
        for project in ("p", "q"):
            theirs = {job_id for job_id, one in self.expected.items() if one.project == project}
            assert set(self.run(self.redis.zrange(keys.queued(project), 0, -1))) == queued & theirs
            assert self.run(self.redis.smembers(keys.running(project))) == running & theirs
        one, two = (self.run(self.jobs_of(name)) for name in ("one", "two"))
        assert not one & two
        assert one | two == running


def _last(served: list[str], project: str) -> int:
    return max((turn for turn, one in enumerate(served, 1) if one == project), default=0)
