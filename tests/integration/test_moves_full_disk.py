"""Images that don't fit: a worker whose daemon has a small disk says so, and keeps nothing of them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from tests.chaos.small_disk import SmallDisk
from tests.integration.command import Shipway
from tests.integration.contexts import once
from tests.integration.extra_worker import extra_worker
from tests.integration.fleet import Fleet
from tests.integration.leftovers import nothing_left

WORKER = "small"
DISK, IMAGE = 80, 160
"""MiB."""


@pytest.fixture
def small(fleet: Fleet, tmp_path: Path) -> Iterator[Dockerd]:
    """The daemon of a worker `small`."""
    with (
        SmallDisk(tmp_path / "disk", DISK) as disk,
        Dockerd(disk.path / "data", engine=fleet.one.engine, log=tmp_path / "dockerd.log") as daemon,
    ):
        base_image.make(daemon.api)
        settings = {"SHIPWAY_WORKER_MIN_FREE_BYTES": "1"}  # or it would not even try
        with extra_worker(fleet.stack, WORKER, docker_host=daemon.host, concurrency=4, settings=settings):
            yield daemon


def test_what_does_not_fit_is_told_and_leaves_nothing(shipway: Shipway, fleet: Fleet, small: Dockerd) -> None:
    name = f"{fleet.registry.address}/large:{once()[:8]}"
    fill = f"dd if=/dev/zero of=/large bs=1M count={IMAGE}"
    shipway.ok("commit", "base", "--worker", "one", "--run", fill, "-t", name, "--push")
    fleet.one.docker("save", "-o", shipway.folder / "large.tar", name)
    archive = shipway.folder / "large.tar.gz"
    archive.write_bytes(gzip.compress((shipway.folder / "large.tar").read_bytes(), 1))
    container = once()
    fleet.one.docker("create", "--name", container, name, "true")
    fleet.one.docker("export", "-o", shipway.folder / "files.tar", container)
    fleet.one.docker("rm", container)
    commands: dict[str, tuple[str | Path, ...]] = {
        "load": ("load", "-i", archive, "--workers", WORKER),
        "import": ("import", "files.tar", "large:1", "--worker", WORKER),
        "pull": ("pull", name, "--workers", WORKER),
        "commit": ("commit", "base", "-t", "large:2", "--run", fill, "--worker", WORKER),
    }

    with nothing_left(fleet.stack, small):
        running = {what: shipway.start(*words) for what, words in commands.items()}
        told = {what: process.communicate(timeout=120)[1] for what, process in running.items()}

    assert {what: process.returncode for what, process in running.items()} == dict.fromkeys(commands, 1)
    for what, said in told.items():
        assert "(disk-full)" in said, f"{what}: {said}"
