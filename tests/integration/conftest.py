"""The whole of Shipway on real parts, for the tests that go through HTTP.

`SHIPWAY_TEST_ENGINE=28` runs them on the current engine instead of the installed one.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from deploy.local.engine import engine
from deploy.local.registry import Login, Registry
from deploy.local.stack import Plan, Stack
from deploy.local.waiting import wait_until
from shipway.storage.redis import connect
from tests.integration.command import Shipway
from tests.integration.fleet import Fleet
from tests.integration.http_api import HttpApi
from tests.integration.leftovers import endless
from tests.support.collector import Collector


@pytest.fixture(scope="session")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """A daemon with the base image."""
    daemon = Dockerd(
        tmp_path_factory.mktemp("dockerd") / "data", engine=engine(os.environ.get("SHIPWAY_TEST_ENGINE", ""))
    )
    with daemon:
        base_image.make(daemon.api)
        yield daemon


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that takes anything from anyone."""
    with Registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="session")
def locked_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for a login."""
    with Registry(tmp_path_factory.mktemp("locked"), login=Login("ada", "byron")) as server:
        yield server


@pytest.fixture(scope="session")
def stack(dockerd: Dockerd, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Service and one worker with two slots, on the shared daemon."""
    with Stack(Plan(tmp_path_factory.mktemp("stack")), registry=registry, dockerd=dockerd) as running:
        yield running


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Takes the traces of what is asked for them, by `collector.env`."""
    with Collector() as running:
        yield running


@pytest.fixture
def api(stack: Stack) -> Iterator[HttpApi]:
    """The service of the stack."""
    with HttpApi(stack.service.url, stack.token) as client:
        yield client


@pytest.fixture(scope="session")
def fleet(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A service and two workers, `one` and `two`, each on a daemon of its own. Both have the base image."""
    chosen = engine(os.environ.get("SHIPWAY_TEST_ENGINE", ""))
    folder = tmp_path_factory.mktemp("fleet")
    with Dockerd(folder / "one", engine=chosen) as one, Dockerd(folder / "two", engine=chosen) as two:
        for daemon in (one, two):
            base_image.make(daemon.api)
        plan = Plan(folder / "stack", workers=0)
        with Stack(plan, registry=registry, dockerd=one) as running:
            running.add_worker("one")
            running.add_worker("two", docker_host=two.host)
            yield Fleet(running, registry, one, two)


@pytest.fixture(autouse=True)
def no_key_without_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail any test that leaves a key in Redis that will never go, but for the named few (`shipway.storage.keys`)."""
    stacks = [request.getfixturevalue(name) for name in ("stack", "fleet") if name in request.fixturenames]
    urls = [one.redis.url if isinstance(one, Stack) else one.stack.redis.url for one in stacks]
    before = {url: endless(url) for url in urls}
    yield
    for url in urls:
        assert wait_until(lambda url=url: endless(url) <= before[url]), endless(url) - before[url]  # type: ignore[misc]


@pytest.fixture
def shipway(fleet: Fleet, tmp_path: Path) -> Shipway:
    """The command, against the fleet."""
    return Shipway(fleet.stack.service.url, fleet.stack.token, tmp_path)


@pytest.fixture
async def redis(fleet: Fleet) -> AsyncIterator[Redis]:
    """The fleet's Redis."""
    connection = connect(fleet.stack.redis.url)
    yield connection
    await connection.aclose()
