"""Equal builds at the same time: one runs, the others wait for its end, and each has a result of its own."""

from __future__ import annotations

import base64
import os
import signal

import pytest
import redis

from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from shipway.models.event import Joined
from shipway.models.job import Job, JobState
from shipway.storage import keys
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, user_steps
from tests.integration.test_recovery_core import pool_of

pytestmark = pytest.mark.engine_independent


def slow(seconds: float) -> dict[str, bytes]:
    """A build of its own that is at work for some seconds."""
    return script("FROM base", f"RUN echo begun; sleep {seconds}; echo {once()} > /made")


def leader(api: HttpApi, files: dict[str, bytes]) -> Job:
    """A job that builds them just now."""
    job = api.submit(files, tags=[f"first-{once()}"])
    api.wait_for_text(job.id, "begun")
    return job


def follower(api: HttpApi, files: dict[str, bytes], first: Job) -> Job:
    """A job of the same build that waits for the first one's end, and holds no slot meanwhile."""
    job = api.submit(files, tags=[f"second-{once()}"])
    assert wait_until(lambda: api.job(job.id).waited_for == first.id)
    assert api.job(job.id).state is JobState.QUEUED
    return job


def joined(api: HttpApi, job: Job) -> list[str]:
    return [event.body.job for event in api.events(job.id) if isinstance(event.body, Joined)]


def test_second_of_two_equal_builds_gets_the_result_of_the_first(api: HttpApi) -> None:
    files = slow(3)
    first = leader(api, files)
    second = follower(api, files, first)

    ends = [api.wait(job.id) for job in (first, second)]

    assert [end.state for end in ends] == [JobState.SUCCEEDED] * 2
    assert ends[0].result.answered_from is None
    assert ends[1].result.answered_from == first.id
    assert ends[1].result.image_id == ends[0].result.image_id
    assert joined(api, second) == [first.id]


def test_cancel_of_a_follower_leaves_the_others_alone(api: HttpApi) -> None:
    files = slow(4)
    first = leader(api, files)
    second, third = follower(api, files, first), follower(api, files, first)

    api.cancel(second.id)

    assert api.wait(second.id).state is JobState.CANCELLED
    assert api.wait(first.id).state is JobState.SUCCEEDED
    assert api.wait(third.id).result.answered_from == first.id


def test_cancel_of_the_leader_lets_a_follower_build(api: HttpApi) -> None:
    files = slow(4)
    first = leader(api, files)
    second, third = follower(api, files, first), follower(api, files, first)

    api.cancel(first.id)
    ends = [api.wait(job.id) for job in (second, third)]

    assert api.job(first.id).state is JobState.CANCELLED
    assert [end.state for end in ends] == [JobState.SUCCEEDED] * 2
    assert sorted(end.result.answered_from is None for end in ends) == [False, True]


def test_follower_of_a_build_that_fails_fails_by_itself(api: HttpApi) -> None:
    files = script("FROM base", f"RUN echo begun; sleep 2; echo {once()}; exit 3")
    first = leader(api, files)
    second = follower(api, files, first)

    ends = [api.wait(job.id) for job in (first, second)]

    assert [end.error.slug for end in ends if end.error] == ["step-failed"] * 2
    assert [step.status for step in user_steps(ends[0])] == [step.status for step in user_steps(ends[1])]


@pytest.mark.parametrize("options", [{"no_cache": True}, {"secrets": {"token": base64.b64encode(b"x").decode()}}])
def test_what_is_never_answered_waits_for_nobody(api: HttpApi, options: dict[str, object]) -> None:
    files = slow(3)
    first = leader(api, files)

    job = api.succeed(files, **options)

    assert job.waited_for is None
    assert api.wait(first.id).state is JobState.SUCCEEDED


def test_one_of_two_builds_when_the_worker_of_the_leader_dies(api: HttpApi, stack: Stack) -> None:
    files = slow(4)
    first = leader(api, files)
    second = follower(api, files, first)

    for pid in pool_of(stack):
        os.kill(pid, signal.SIGKILL)
    with redis.Redis.from_url(stack.redis.url) as database:
        database.zadd(keys.RUNNING, {first.id: 1})  # its lease would end soon anyway
    ends = [api.wait(job.id) for job in (first, second)]

    assert [end.state for end in ends] == [JobState.SUCCEEDED] * 2
    assert ends[0].result.image_id == ends[1].result.image_id
    assert [end.result.answered_from for end in ends] in ([second.id, None], [None, first.id])
