"""Cancelling and timing out stop the daemon's work at once and leave nothing running."""

from __future__ import annotations

import random
import time

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.waiting import wait_until
from shipway.models.event import StateChanged, StepStatus
from shipway.models.job import JobState
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, user_steps
from tests.integration.leftovers import containers, processes_with, tags

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])
AT_ONCE = 2.0
"""Seconds in which the daemon's work must have stopped."""


def a_while() -> str:
    """A number of seconds that no other process on this machine sleeps."""
    return str(random.randrange(10**8, 10**9))


@BUILDERS
def test_cancel_stops_a_running_build_within_two_seconds(api: HttpApi, dockerd: Dockerd, builder: str) -> None:
    seconds, name = a_while(), f"cancelled-{once()}"
    job = api.submit(script("FROM base", f"RUN echo on; sleep {seconds}"), builder=builder, tags=[name])
    api.wait_for_text(job.id, "on")
    started = wait_until(lambda: processes_with(seconds), 5)  # it says so just before it sleeps

    asked = time.monotonic()
    answer = api.cancel(job.id)
    stopped = wait_until(lambda: not processes_with(seconds) and api.job(job.id).state.final, 10, every=0.02)
    took = time.monotonic() - asked

    assert started
    assert answer.status_code == 202
    assert answer.json()["cancel_requested"] is True
    assert stopped
    assert took < AT_ONCE
    ended = api.job(job.id)
    assert (ended.state, ended.error, ended.attempt) == (JobState.CANCELLED, None, 1)
    assert [s.status for s in user_steps(ended) if "sleep" in s.name] == [StepStatus.CANCELLED]
    assert wait_until(lambda: containers(dockerd) == [], 5)
    assert f"{name}:latest" not in tags(dockerd)


@BUILDERS
def test_timeout_stops_a_build_and_says_so(api: HttpApi, dockerd: Dockerd, builder: str) -> None:
    seconds, name = a_while(), f"late-{once()}"

    job = api.build(script("FROM base", f"RUN sleep {seconds}"), builder=builder, tags=[name], timeout=1.5)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert (job.error.slug, job.error.retryable, job.attempt) == ("timeout", False, 1)
    assert "1.5 s" in job.error.message
    assert job.timings.started is not None
    assert job.timings.finished is not None
    assert 1.5 <= job.timings.finished - job.timings.started < 1.5 + AT_ONCE
    assert processes_with(seconds) == []
    assert wait_until(lambda: containers(dockerd) == [], 5)
    assert f"{name}:latest" not in tags(dockerd)


def test_slot_is_free_again_after_a_cancelled_build(api: HttpApi) -> None:
    with api.busy():
        pass

    began = time.monotonic()
    jobs = [api.submit(script("FROM base", f"RUN echo {once()}")) for _ in range(2)]

    assert [api.wait(job.id).state for job in jobs] == [JobState.SUCCEEDED] * 2
    assert time.monotonic() - began < 15


def test_cancelled_in_the_queue_it_never_starts(api: HttpApi) -> None:
    with api.busy():
        job = api.submit(script("FROM base", f"RUN echo {once()}"))
        assert api.job(job.id).state is JobState.QUEUED

        answer = api.cancel(job.id)

        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    # Jobs that came after it are done: its message was received too, and meant nothing.
    api.succeed(script("FROM base", f"RUN echo {once()}"))
    api.succeed(script("FROM base", f"RUN echo {once()}"))

    ended = api.job(job.id)
    assert (ended.state, ended.attempt, ended.worker, ended.steps) == (JobState.CANCELLED, 0, None, ())
    changes = [e.body.state for e in api.events(job.id) if isinstance(e.body, StateChanged)]
    assert changes == ["queued", "cancelled"]


def test_cancel_does_not_change_a_job_that_has_ended(api: HttpApi) -> None:
    job = api.succeed(script("FROM scratch", f"LABEL word={once()}"))

    answer = api.cancel(job.id)

    assert (answer.status_code, answer.json()["state"]) == (202, "succeeded")
    assert api.job(job.id) == job


def test_cancel_twice_is_cancel_once(api: HttpApi) -> None:
    job = api.submit(script("FROM base", f"RUN echo on; sleep {a_while()}"))
    api.wait_for_text(job.id, "on")

    answers = [api.cancel(job.id).status_code for _ in range(3)]

    assert answers == [202] * 3
    assert api.wait(job.id).state is JobState.CANCELLED
    assert [e.body.state for e in api.events(job.id) if isinstance(e.body, StateChanged)].count("cancelled") == 1
