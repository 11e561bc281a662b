"""Redis behind sentinels: when the leading server dies, everything goes on with the one that follows it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.servers import Service, Shared, WorkerProcess
from deploy.local.waiting import wait_until
from shipway.models.job import JobState
from tests.chaos.conftest import Measured
from tests.chaos.fleet import SETTINGS, talk
from tests.chaos.invariants import broken, written
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.support.watched_redis import WatchedRedis


@pytest.fixture
def group(tmp_path: Path) -> Iterator[WatchedRedis]:
    with WatchedRedis(tmp_path / "redis") as watched:
        yield watched


@pytest.fixture
def api(group: WatchedRedis, daemons: dict[str, Dockerd], tmp_path: Path) -> Iterator[HttpApi]:
    """A service and a worker that know nothing but the sentinels."""
    settings = {**SETTINGS, "SHIPWAY_LEASE": "30"}  # longer than sentinels take
    shared = Shared(group.url, tmp_path / "store", "", settings)
    service = Service(shared, tmp_path / "service")
    worker = WorkerProcess(
        shared, tmp_path / "worker", name="watched", docker_host=daemons["a"].host, seen=service.sees, concurrency=1
    )
    try:
        service.start()
        worker.start()
        with HttpApi(service.url, service.token) as client:
            yield client
    finally:
        worker.stop()
        service.stop()


def test_leading_server_that_dies_is_replaced_by_its_follower(
    api: HttpApi, group: WatchedRedis, measured: Measured
) -> None:
    job = api.submit(talk(8))
    api.wait_for_text(job.id, "line 2")
    waiting = api.submit(script("FROM base", f"RUN echo {once()}"))

    killed = time.monotonic()
    group.fail_over()
    assert wait_until(lambda: api.http.get("/readyz").is_success, 60)
    measured("until jobs were accepted again", time.monotonic() - killed)
    fresh = api.submit(script("FROM base", f"RUN echo {once()}"))
    ended = [api.wait(one.id) for one in (job, waiting, fresh)]

    assert [one.state for one in ended] == [JobState.SUCCEEDED] * 3
    assert [one.attempt for one in ended] == [1, 1, 1]
    assert written(api.events(job.id), 1) == [f"line {n}" for n in range(1, 41)]
    assert [fault for one in ended for fault in broken(api, one.id)] == []
