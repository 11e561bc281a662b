"""Real daemons and registries for the engine's tests.

`SHIPWAY_TEST_ENGINE=28` runs them on the current engine instead of the installed one.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from deploy.local.engine import engine as docker_engine
from deploy.local.registry import Login, Registry
from workers.engine import Engine


def start_dockerd(folder: Path) -> Dockerd:
    """Start a daemon that has the base image."""
    daemon = Dockerd(folder / "data", engine=docker_engine(os.environ.get("SHIPWAY_TEST_ENGINE", "")))
    daemon.start()
    base_image.make(daemon.api)
    return daemon


@pytest.fixture(scope="session")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """A daemon that all tests share."""
    daemon = start_dockerd(tmp_path_factory.mktemp("dockerd"))
    yield daemon
    daemon.stop()


@pytest.fixture
def doomed_dockerd(tmp_path: Path) -> Iterator[Dockerd]:
    """A daemon for one test to kill."""
    daemon = start_dockerd(tmp_path)
    yield daemon
    daemon.stop()


@pytest.fixture
async def engine(dockerd: Dockerd) -> AsyncIterator[Engine]:
    async with Engine(dockerd.host) as driver:
        yield driver


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
