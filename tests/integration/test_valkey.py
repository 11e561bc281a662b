"""Valkey in Redis's place, by nothing but its URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.redis import RedisServer
from deploy.local.registry import Registry
from deploy.local.stack import Plan, Stack
from deploy.local.waiting import wait_until
from shipway.models.event import LogChunk
from shipway.models.job import JobState
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.integration.leftovers import endless

VALKEY = Path(__file__).parents[2] / ".cache" / "valkey" / "valkey-server"

pytestmark = [
    pytest.mark.engine_independent,
    pytest.mark.skipif(not VALKEY.exists(), reason="NOT tested with Valkey: `make valkey` could not fetch it"),
]


@pytest.fixture(scope="module")
def stack(dockerd: Dockerd, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("valkey")
    with (
        RedisServer(folder / "data", program=VALKEY) as server,
        Stack(Plan(folder / "stack"), registry=registry, dockerd=dockerd, redis=server) as running,
    ):
        yield running


@pytest.fixture
def api(stack: Stack) -> Iterator[HttpApi]:
    with HttpApi(stack.service.url, stack.token) as client:
        yield client


def test_builds_are_pushed_and_cancelled(api: HttpApi, stack: Stack, registry: Registry) -> None:
    before = endless(stack.redis.url)
    pushed = api.build(script("FROM base", f"RUN echo {once()}"), tags=[f"{registry.address}/{once()}:1"], push=True)
    endless_one = api.submit(script("FROM base", "RUN sleep 600"))
    assert wait_until(lambda: api.job(endless_one.id).state is JobState.RUNNING, 30)
    api.cancel(endless_one.id)

    assert (pushed.state, bool(pushed.result.pushed[0].digest)) == (JobState.SUCCEEDED, True)
    assert api.wait(endless_one.id).state is JobState.CANCELLED
    assert wait_until(lambda: endless(stack.redis.url) <= before)


def test_job_rides_out_a_server_that_is_killed(api: HttpApi, stack: Stack) -> None:
    job = api.submit(script("FROM base", f"RUN for n in 1 2 3 4 5 6; do echo line $n; sleep 1; done # {once()}"))
    api.wait_for_text(job.id, "line 2")

    stack.redis.child.kill()
    stack.redis.start()

    ended = api.wait(job.id)
    said = "".join(event.body.text for event in api.events(job.id) if isinstance(event.body, LogChunk))
    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    assert said.split("\n")[:6] == [f"line {n}" for n in range(1, 7)]
