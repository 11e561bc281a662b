"""One fleet for all tests, whole again before each of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from tests.chaos.fleet import NAMES, Fleet

Measured = Callable[[str, float], None]


def seconds(*, short: float, long: float) -> float:
    """How long an outage lasts: long ones are for `SHIPWAY_CHAOS_LONG=1`, which measures for docs/faults.md."""
    return long if os.environ.get("SHIPWAY_CHAOS_LONG") else short


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder more time than others."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Dockerd]]:
    """A daemon for each worker, with the base image."""
    made = {name: Dockerd(tmp_path_factory.mktemp(f"dockerd-{name}") / "data") for name in NAMES}
    try:
        for daemon in made.values():
            daemon.start()
            base_image.make(daemon.api)
        yield made
    finally:
        for daemon in made.values():
            daemon.stop()


@pytest.fixture(scope="session")
def _fleet(daemons: dict[str, Dockerd], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    program = os.environ.get("SHIPWAY_TEST_REDIS", "redis-server")  # or one that speaks its language, such as Valkey's
    with Fleet(tmp_path_factory.mktemp("fleet"), daemons, redis=program) as running:
        yield running


@pytest.fixture
def fleet(_fleet: Fleet) -> Iterator[Fleet]:
    """The fleet, every part of it well."""
    _fleet.heal()
    yield _fleet
    _fleet.heal()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Notes how long a recovery took; `SHIPWAY_CHAOS_TIMES` names a file that gets a line of JSON for each."""

    def note(what: str, seconds: float) -> None:
        file = os.environ.get("SHIPWAY_CHAOS_TIMES")
        line = json.dumps({"test": request.node.name, "what": what, "seconds": round(seconds, 1)})
        print(line)  # noqa: T201
        if file:
            with Path(file).open("a") as output:
                output.write(line + "\n")

    return note
