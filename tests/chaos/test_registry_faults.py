"""Registries that go away during a push: ridden out, and never a reason to build again."""

from __future__ import annotations

import os
import signal
import time

from deploy.local.waiting import wait_until
from shipway.models.event import LogChunk, StepChanged, Warned
from shipway.models.job import JobState
from tests.chaos.conftest import Measured, seconds
from tests.chaos.fleet import Fleet, talk
from tests.chaos.invariants import broken
from tests.integration.contexts import once, script


def test_registry_away_during_a_push_is_ridden_out(fleet: Fleet, measured: Measured) -> None:
    fleet.to_registry.cut()
    job = fleet.api.submit(script("FROM base", f"RUN echo {once()}"), tags=[fleet.tag()], push=True)
    assert wait_until(lambda: fleet.api.job(job.id).result.image_id, 60)
    built = time.monotonic()
    assert wait_until(lambda: time.monotonic() - built > seconds(short=10, long=60), 70)
    fleet.to_registry.restore()
    back = time.monotonic()
    ended = fleet.api.wait(job.id)
    measured("from the registry's return to the end", time.monotonic() - back)

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    assert broken(fleet.api, job.id) == []
    warnings = [e.body.message for e in fleet.api.events(job.id) if isinstance(e.body, Warned)]
    assert any("again" in warning for warning in warnings)


def test_registry_killed_and_restarted_during_a_push(fleet: Fleet) -> None:
    tag = fleet.tag()
    fleet.to_registry.slow(400_000)  # so that the base layer takes some seconds
    job = fleet.api.submit(script("FROM base", f"RUN echo {once()}"), tags=[tag], push=True)
    assert wait_until(lambda: fleet.api.job(job.id).result.image_id, 60)

    fleet.registry.child.kill()
    fleet.to_registry.restore()
    fleet.registry.start()
    ended = fleet.api.wait(job.id)

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    assert broken(fleet.api, job.id) == []


def test_job_that_dies_after_its_build_resumes_with_the_push(fleet: Fleet, measured: Measured) -> None:
    fleet.to_registry.cut()
    job = fleet.api.submit(talk(1), tags=[fleet.tag()], push=True)
    assert wait_until(lambda: fleet.api.job(job.id).result.image_id, 60)
    before = fleet.api.job(job.id)

    for pid in fleet.pool(before.worker or ""):
        os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    assert wait_until(lambda: fleet.api.job(job.id).attempt == 2, 60)
    measured("until the next attempt", time.monotonic() - killed)
    fleet.to_registry.restore()
    ended = fleet.api.wait(job.id)

    again = [e.body for e in fleet.api.events(job.id) if e.attempt == 2]
    assert (ended.state, ended.attempt, ended.worker) == (JobState.SUCCEEDED, 2, before.worker)
    assert (ended.result.image_id, ended.result.built_on) == (before.result.image_id, before.worker)
    assert not [body for body in again if isinstance(body, StepChanged | LogChunk)]
    assert ended.steps == before.steps
    assert broken(fleet.api, job.id) == []
