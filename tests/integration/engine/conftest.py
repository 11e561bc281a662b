"""What the engine's tests need besides the registries of the integration tests."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from deploy.local.engine import engine as named
from workers.engine import Engine


@pytest.fixture(scope="session")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """A daemon with the base image that no worker uses: a worker sweeps what no job of its own has made."""
    chosen = named(os.environ.get("SHIPWAY_TEST_ENGINE", ""))
    with Dockerd(tmp_path_factory.mktemp("engine") / "data", engine=chosen) as daemon:
        base_image.make(daemon.api)
        yield daemon


@pytest.fixture
def doomed_dockerd(dockerd: Dockerd, tmp_path: Path) -> Iterator[Dockerd]:
    """A daemon of the same engine as the shared one, for one test to kill."""
    with Dockerd(tmp_path / "data", engine=dockerd.engine) as daemon:
        base_image.make(daemon.api)
        yield daemon


@pytest.fixture
async def engine(dockerd: Dockerd) -> AsyncIterator[Engine]:
    async with Engine(dockerd.host) as driver:
        yield driver
