"""What the engine's tests need besides the shared daemon and registries of the integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from workers.engine import Engine


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
