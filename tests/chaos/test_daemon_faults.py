"""Daemons that die, stop and come back in mid-build: never the user's fault, and never the end of a job."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from deploy.local.waiting import wait_until
from shipway.models.event import StateChanged
from shipway.models.job import JobState
from tests.chaos.conftest import Measured
from tests.chaos.fleet import Fleet, talk
from tests.chaos.invariants import broken, states
from tests.chaos.small_disk import SmallDisk
from tests.integration.contexts import once, script
from tests.integration.leftovers import containers, processes_with


def slugs(fleet: Fleet, job_id: str) -> list[str]:
    """Why a job changed its state, where a reason was given."""
    bodies = [event.body for event in fleet.api.events(job_id)]
    return [body.error.slug for body in bodies if isinstance(body, StateChanged) and body.error]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_daemon_lost_in_mid_build(fleet: Fleet, measured: Measured, how: signal.Signals) -> None:
    word = once()
    job, victim, _ = fleet.running(talk(3, word), worker="a")
    daemon = fleet.daemons[victim]

    lost = time.monotonic()
    os.kill(daemon.child.pid, how)
    assert wait_until(lambda: fleet.api.job(job.id).state is JobState.QUEUED, 60)
    measured("until the job was handed back", time.monotonic() - lost)
    assert wait_until(lambda: fleet.state_of(victim) == "unhealthy", 60)
    measured("until the worker said it is unhealthy", time.monotonic() - lost)
    assert "Docker daemon does not answer" in fleet.problem_of(victim)
    elsewhere = fleet.api.succeed(script("FROM base", f"RUN echo {once()}"))
    waiting = fleet.api.job(job.id)
    assert wait_until(lambda: not daemon.child.alive, 60)
    for pid in processes_with(word):  # a step of BuildKit's can outlive its daemon
        os.kill(pid, signal.SIGKILL)
    daemon.start()
    back = time.monotonic()
    ended = fleet.api.wait(job.id)
    measured("from the daemon's return to the end of a build of 3 s", time.monotonic() - back)

    assert elsewhere.worker != victim
    assert (waiting.state, waiting.attempt) == (JobState.QUEUED, 1)
    assert (ended.state, ended.attempt, ended.worker) == (JobState.SUCCEEDED, 2, victim)
    assert slugs(fleet, job.id) == ["daemon-lost"]
    assert states(fleet.api.events(job.id)) == ["queued", "running", "queued", "running", "succeeded"]
    assert broken(fleet.api, job.id) == []


def test_job_for_everybody_goes_on_at_once_on_another_daemon(fleet: Fleet, measured: Measured) -> None:
    job, victim, other = fleet.running(talk(3))

    fleet.daemons[victim].kill()
    killed = time.monotonic()
    ended = fleet.api.wait(job.id)
    measured("until a build of 3 s was done", time.monotonic() - killed)

    assert (ended.state, ended.worker, ended.attempt) == (JobState.SUCCEEDED, other, 2)
    assert slugs(fleet, job.id) == ["daemon-lost"]
    assert broken(fleet.api, job.id) == []


def test_daemon_and_redis_away_at_once_come_back_by_themselves(fleet: Fleet) -> None:
    fleet.daemons["a"].kill()
    fleet.to_redis["a"].cut()
    assert wait_until(lambda: "Docker daemon" in fleet.problem_of("a"), 60)
    fleet.daemons["a"].start()
    assert wait_until(lambda: fleet.problem_of("a") == "Redis does not answer", 60)
    fleet.to_redis["a"].restore()

    assert wait_until(lambda: fleet.problem_of("a") == "", 60)
    assert fleet.api.succeed(script("FROM base", f"RUN echo {once()}"), worker="a").worker == "a"


def test_container_that_a_dead_daemon_left_of_a_classic_step_is_swept(fleet: Fleet) -> None:
    context = script("FROM base", f"RUN echo on; sleep 600 # {once()}")
    job = fleet.api.submit(context, builder="classic", worker="a")
    fleet.api.wait_for_text(job.id, "on")
    assert wait_until(lambda: "shipway-" in fleet.daemons["a"].docker("ps", "--format", "{{.Names}}").stdout, 10)
    left = containers(fleet.daemons["a"])

    fleet.daemons["a"].kill()
    fleet.daemons["a"].start()

    assert len(left) == 1
    assert wait_until(lambda: not set(left) & set(containers(fleet.daemons["a"])), 60)
    fleet.api.cancel(job.id)
    assert fleet.api.wait(job.id).state is JobState.CANCELLED
    assert wait_until(lambda: containers(fleet.daemons["a"]) == [], 30)


def test_build_that_gives_no_sign_of_life_is_ended(fleet: Fleet) -> None:
    word = once()
    with fleet.another("curt", fleet.daemons["a"], SHIPWAY_WORKER_IDLE_TIMEOUT="2"):
        ended = fleet.api.build(script("FROM base", f"RUN echo on; sleep 600 # {word}"), worker="curt")

    assert ended.error is not None
    assert (ended.state, ended.error.slug, ended.attempt) == (JobState.FAILED, "stuck", 1)
    assert "no sign of life for 2 s" in ended.error.message
    assert broken(fleet.api, ended.id) == []
    assert wait_until(lambda: not processes_with(word), 30)


def test_full_disk_of_a_daemon(fleet: Fleet, tmp_path: Path, measured: Measured) -> None:
    with (
        SmallDisk(tmp_path / "disk", 384) as disk,
        Dockerd(disk.path / "data", log=tmp_path / "dockerd.log") as daemon,
    ):
        base_image.make(daemon.api)
        with fleet.another("small", daemon):
            _run_out_of_space(fleet, disk, measured)


def _run_out_of_space(fleet: Fleet, disk: SmallDisk, measured: Measured) -> None:
    greedy = fleet.api.build(
        script("FROM base", f"RUN dd if=/dev/zero of=/big bs=1M count=2000 # {once()}"), worker="small"
    )
    assert greedy.state is JobState.FAILED
    assert greedy.error is not None
    assert wait_until(lambda: disk.free > 256, 60)  # the daemon cleans up after a step a moment later

    with disk.filled(leaving=8):
        full = time.monotonic()
        assert wait_until(lambda: fleet.state_of("small") == "unhealthy", 60)
        measured("until the worker took no more jobs", time.monotonic() - full)
        job = fleet.api.submit(script("FROM base", f"RUN echo {once()}"), worker="small")
        assert fleet.api.succeed(script("FROM base", f"RUN echo {once()}")).worker != "small"
        assert fleet.api.job(job.id).state is JobState.QUEUED
    freed = time.monotonic()
    ended = fleet.api.wait(job.id)
    measured("from free space to the end of a short build", time.monotonic() - freed)

    assert (greedy.error.slug, greedy.error.retryable) == ("disk-full", True)
    assert (ended.state, ended.worker, ended.attempt) == (JobState.SUCCEEDED, "small", 1)
    assert fleet.api.succeed(script("FROM base", f"RUN echo {once()}"), worker="small").attempt == 1
