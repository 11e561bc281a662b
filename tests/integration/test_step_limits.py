"""What the operator lets a step use, on a real worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.stack import Stack
from shipway.storage.workers import HEARTBEAT
from tests.integration.contexts import once, script
from tests.integration.extra_worker import extra_worker
from tests.integration.http_api import HttpApi

MEMORY = 64 * 2**20
CAPPED = "capped"


@pytest.fixture(scope="module")
def capped(stack: Stack) -> Iterator[HttpApi]:
    """One more worker, whose steps may use little."""
    settings = {
        "SHIPWAY_WORKER_STEP_MEMORY": str(MEMORY),
        "SHIPWAY_WORKER_STEP_CPUS": "0.5",
        "SHIPWAY_WORKER_STEP_PIDS": "234",
        "SHIPWAY_WORKER_CGROUP_PARENT": "/shipway-steps",
    }
    with extra_worker(stack, CAPPED, settings=settings), HttpApi(stack.service.url, stack.token) as api:
        yield api


SHOWN = (
    "cat /proc/self/cgroup; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max "
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max "
    "2>/dev/null || true"
)


def test_steps_of_the_classic_builder_are_capped(capped: HttpApi) -> None:
    job = capped.succeed(script("FROM base", f"RUN {SHOWN} # {once()}"), builder="classic", worker=CAPPED)
    words = capped.log(job.id)

    assert str(MEMORY) in words
    assert "50000" in words.split() or "50000 100000" in words
    assert "/shipway-steps/" in words


def test_steps_of_buildkit_run_in_the_cgroup_of_the_daemon(capped: HttpApi, dockerd: Dockerd) -> None:
    """Which is all that caps them."""
    job = capped.succeed(script("FROM base", f"RUN {SHOWN} # {once()}"), worker=CAPPED)
    words = capped.log(job.id)

    assert f"/{dockerd.name}/" in words
    assert "/shipway-steps/" not in words.replace(SHOWN, "")


def test_commands_of_a_commit_are_capped(capped: HttpApi) -> None:
    answer = capped.http.post("/v1/commits", json={"image": "base", "run": [SHOWN], "worker": CAPPED})
    job = capped.wait(answer.json()["id"])
    words = capped.log(job.id)

    assert job.error is None
    assert str(MEMORY) in words
    assert "50000" in words.split() or "50000 100000" in words
    assert "234" in words.split()
    assert "/shipway-steps/" in words


def test_container_of_a_commit_is_no_leftover_to_other_workers_on_its_daemon(capped: HttpApi) -> None:
    """Each of them removes what dead attempts left there, every HEARTBEAT seconds."""
    asked = {"image": "base", "run": [f"sleep {HEARTBEAT + 1}"], "worker": CAPPED}
    job = capped.wait(capped.http.post("/v1/commits", json=asked).json()["id"])

    assert job.error is None


def test_worker_tells_what_its_steps_may_use(capped: HttpApi) -> None:
    listed = {worker["name"]: worker for worker in capped.http.get("/v1/workers").json()["workers"]}

    assert listed[CAPPED]["limits"]["memory"] == MEMORY
