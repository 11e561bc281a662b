"""Workers that die, freeze, stop and drain: jobs go on elsewhere, once, and nothing of a dead attempt counts."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from itertools import pairwise
from pathlib import Path

from deploy.local.waiting import wait_until
from shipway.models.event import Event, StateChanged
from shipway.models.job import JobState
from shipway.queue import Queue
from tests.chaos.conftest import Measured
from tests.chaos.fleet import GRACE, LEASE, Fleet, talk
from tests.chaos.invariants import broken, states, written
from tests.integration.contexts import once, script
from tests.integration.leftovers import containers, processes_with

CLOCK_AHEAD = Path(__file__).parents[1] / "support" / "clock_ahead"
"""Makes a Python process believe that it is an hour later."""


def test_worker_killed_in_mid_build_loses_nothing(fleet: Fleet, measured: Measured) -> None:
    word = once()
    job, victim, other = fleet.running(talk(4, word))

    fleet.workers[victim].child.kill()
    killed = time.monotonic()
    assert wait_until(lambda: fleet.api.job(job.id).attempt == 2, 60)
    measured("until the next attempt", time.monotonic() - killed)
    ended = fleet.api.wait(job.id)

    assert (ended.state, ended.attempt, ended.worker) == (JobState.SUCCEEDED, 2, other)
    assert states(fleet.api.events(job.id)) == ["queued", "running", "queued", "running", "succeeded"]
    assert broken(fleet.api, job.id) == []
    assert wait_until(lambda: not processes_with(word), 20)


def test_killed_worker_takes_its_pool_with_it(fleet: Fleet) -> None:
    pool = fleet.pool("a")

    fleet.workers["a"].child.kill()

    assert len(pool) == 2
    assert wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pool), 5)  # noqa: PTH110


def test_process_of_the_pool_killed_in_mid_build_is_replaced(fleet: Fleet, measured: Measured) -> None:
    job, victim, _ = fleet.running(talk(4))
    before = fleet.pool(victim)

    for pid in before:
        os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    assert wait_until(lambda: fleet.api.job(job.id).attempt == 2, 60)
    measured("until the next attempt", time.monotonic() - killed)

    assert fleet.api.wait(job.id).state is JobState.SUCCEEDED
    assert broken(fleet.api, job.id) == []
    assert wait_until(lambda: len(fleet.pool(victim)) == 2 and not set(before) & set(fleet.pool(victim)), 30)
    assert fleet.api.succeed(script("FROM base", f"RUN echo {once()}"), worker=victim).attempt == 1


def test_worker_frozen_longer_than_its_lease_is_fenced_off(fleet: Fleet, measured: Measured) -> None:
    word = once()
    job, victim, other = fleet.running(talk(8, word))

    fleet.signal(victim, signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        assert wait_until(lambda: fleet.api.job(job.id).attempt == 2, 60)
        measured("until the next attempt", time.monotonic() - frozen)
        assert wait_until(lambda: "line 3" in written(fleet.so_far(job.id), 2), 60)
    finally:
        fleet.signal(victim, signal.SIGCONT)
    ended = fleet.api.wait(job.id)

    events = fleet.api.events(job.id)
    second = next(e.seq for e in events if e.attempt == 2)
    assert (ended.state, ended.worker, ended.attempt) == (JobState.SUCCEEDED, other, 2)
    assert {e.attempt for e in events if e.seq > second} == {2}
    assert written(events, 2) == [f"line {n}" for n in range(1, 41)]
    assert broken(fleet.api, job.id) == []
    assert wait_until(lambda: not processes_with(word), 30)  # its own build is stopped, not only unheard


def test_worker_cut_off_stops_its_build_before_the_lease_ends(fleet: Fleet, measured: Measured) -> None:
    word = once()
    job, victim, other = fleet.running(talk(8, word))
    own = processes_with(word)

    fleet.to_redis[victim].freeze()
    frozen = time.monotonic()
    assert wait_until(lambda: not set(own) & set(processes_with(word)), 60)
    attempt = fleet.api.job(job.id).attempt
    measured("until its build was stopped", time.monotonic() - frozen)
    ended = fleet.api.wait(job.id)
    measured("until another worker had built it", time.monotonic() - frozen)

    assert attempt == 1
    assert (ended.state, ended.worker, ended.attempt) == (JobState.SUCCEEDED, other, 2)
    assert broken(fleet.api, job.id) == []


def test_job_that_is_lost_again_and_again_fails_as_worker_lost(fleet: Fleet) -> None:
    job = fleet.api.submit(talk(60))
    for attempt in (1, 2, 3):
        assert wait_until(lambda: fleet.api.job(job.id).attempt == attempt, 60)  # noqa: B023
        running = fleet.api.job(job.id)
        assert wait_until(lambda: fleet.api.job(job.id).steps, 30)
        for pid in fleet.pool(running.worker or ""):
            os.kill(pid, signal.SIGKILL)

    ended = fleet.api.wait(job.id)

    assert ended.state is JobState.FAILED
    assert ended.error is not None
    assert (ended.error.slug, ended.error.retryable, ended.attempt) == ("worker-lost", True, 3)
    assert broken(fleet.api, job.id) == []


def test_container_of_a_dead_attempt_is_swept(fleet: Fleet) -> None:
    job = fleet.api.http.post("/v1/commits", json={"image": "base", "run": ["echo on; sleep 600"], "worker": "a"})
    assert job.status_code == 202, job.text
    job_id = job.json()["id"]
    fleet.api.wait_for_text(job_id, "on")
    assert len(containers(fleet.daemons["a"])) == 1
    before = containers(fleet.daemons["a"])

    for pid in fleet.pool("a"):
        os.kill(pid, signal.SIGKILL)

    assert wait_until(lambda: not set(before) & set(containers(fleet.daemons["a"])), 60)
    fleet.api.cancel(job_id)
    assert fleet.api.wait(job_id).state is JobState.CANCELLED
    assert wait_until(lambda: containers(fleet.daemons["a"]) == [], 30)


def test_rolling_restart_under_load_loses_and_repeats_nothing(fleet: Fleet, measured: Measured) -> None:
    jobs = [fleet.api.submit(talk(2), tags=[fleet.tag()], push=True) for _ in range(12)]
    began = time.monotonic()
    assert wait_until(lambda: sum(fleet.api.job(job.id).state is JobState.RUNNING for job in jobs) == 4, 60)
    for name in fleet.workers:
        fleet.workers[name].child.stop(grace=30)
        fleet.workers[name].start()
    ended = [fleet.api.wait(job.id) for job in jobs]
    measured("12 builds of 2 s over both restarts", time.monotonic() - began)

    assert [job.state for job in ended] == [JobState.SUCCEEDED] * 12
    assert [fault for job in jobs for fault in broken(fleet.api, job.id)] == []
    assert [spent for job in jobs for spent in _given_back_after(fleet.api.events(job.id)) if spent < GRACE] == []
    with fleet.records() as redis:
        assert {redis.hget(f"shipway:job:{job.id}", "losses") for job in jobs} == {"0"}


def _given_back_after(events: list[Event]) -> list[float]:
    """Seconds that each attempt had run which was given back to the queue; none is if it can end within the grace."""
    changes = [(event.at, event.body.state) for event in events if isinstance(event.body, StateChanged)]
    return [end - began for (began, was), (end, became) in pairwise(changes) if (was, became) == ("running", "queued")]


def test_stopped_worker_hands_back_what_it_cannot_finish_at_no_cost(fleet: Fleet, measured: Measured) -> None:
    job, victim, other = fleet.running(talk(10))

    stopped = time.monotonic()
    fleet.workers[victim].child.stop(grace=30)
    measured("until the worker was gone", time.monotonic() - stopped)
    with fleet.records() as redis:
        losses = redis.hget(f"shipway:job:{job.id}", "losses")
    ended = fleet.api.wait(job.id)

    assert (ended.state, ended.worker, ended.attempt, losses) == (JobState.SUCCEEDED, other, 2, "0")
    assert broken(fleet.api, job.id) == []


def test_clock_of_a_worker_does_not_matter(fleet: Fleet) -> None:
    with fleet.another("ahead", fleet.daemons["a"], PYTHONPATH=str(CLOCK_AHEAD)):
        seen = fleet.state_of("ahead")
        own = fleet.api.submit(talk(1.5 * LEASE), worker="ahead")
        others = [fleet.api.submit(talk(1.5 * LEASE)) for _ in range(4)]
        ended = [fleet.api.wait(job.id) for job in (own, *others)]

    assert seen == "ready"
    assert [(job.state, job.attempt) for job in ended] == [(JobState.SUCCEEDED, 1)] * 5
    assert all(job.timings.created <= (job.timings.started or 0) < own.timings.created + 1800 for job in ended)
    assert [fault for job in ended for fault in broken(fleet.api, job.id)] == []


def test_drained_worker_finishes_its_job_and_takes_no_other(fleet: Fleet) -> None:
    job, drained, other = fleet.running(talk(6))

    with fleet.only(other):
        others = [fleet.api.succeed(script("FROM base", f"RUN echo {once()}")) for _ in range(3)]
        seen = fleet.state_of(drained)
        own = fleet.api.wait(job.id)

    assert [one.worker for one in others] == [other] * 3
    assert (seen, own.state, own.worker, own.attempt) == ("draining", JobState.SUCCEEDED, drained, 1)
    assert wait_until(lambda: fleet.state_of(drained) == "ready", 60)
    assert fleet.api.succeed(script("FROM base", f"RUN echo {once()}"), worker=drained).worker == drained


def test_lost_message_is_sent_again(fleet: Fleet, measured: Measured) -> None:
    with fleet.only("a"), fleet.only("b"), fleet.records() as redis:
        job = fleet.api.submit(script("FROM base", f"RUN echo {once()}"))
        # A worker that was just told to read no more may have it in its hands still, and puts it back.
        assert wait_until(lambda: list(redis.scan_iter("shipway*", _type="list")), 30)
        redis.delete(*redis.scan_iter("shipway*", _type="list"))
        lost = time.monotonic()

    ended = fleet.api.wait(job.id)
    measured("until it ran", time.monotonic() - lost)

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)


def test_doubled_and_late_messages_mean_nothing(fleet: Fleet) -> None:
    job = fleet.api.submit(talk(3))
    queue = Queue(fleet.redis.url)
    try:
        for _ in range(5):
            assert asyncio.run(queue.enqueue(job))
        ended = fleet.api.wait(job.id)
        assert asyncio.run(queue.enqueue(job))
    finally:
        queue.close()
    later = fleet.api.succeed(script("FROM base", f"RUN echo {once()}"))

    assert later.state is JobState.SUCCEEDED
    assert states(fleet.api.events(job.id)) == ["queued", "running", "succeeded"]
    assert (ended.attempt, fleet.api.job(job.id)) == (1, ended)
