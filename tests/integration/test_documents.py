"""Every command of the README (but `make`) and of the guides runs as it stands there, with this stack's addresses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.local.engine import REPOSITORY
from deploy.local.registry import Registry
from deploy.local.stack import Stack
from tests.integration.command import Shipway, write
from tests.integration.contexts import once
from tests.integration.documents import run_all
from tests.integration.fleet import Fleet

pytestmark = pytest.mark.engine_independent

APP = "FROM base AS app\nARG VERSION\nRUN --mount=type=secret,id=token true # {word}\nFROM app\nRUN echo last\n"
REGISTRY = "127.0.0.1:8472"


@pytest.fixture
def reader(stack: Stack, tmp_path: Path) -> Shipway:
    """Somebody who has started what the page says, in an empty folder."""
    return Shipway(stack.service.url, stack.token, tmp_path)


def test_every_command_of_the_readme_works(registry: Registry, reader: Shipway) -> None:
    write(reader.folder, {"Dockerfile": APP.format(word=once()).encode(), "token.txt": b"secret", "a.txt": b"a"})

    ran = run_all("README.md", reader, {REGISTRY: registry.address, "http://127.0.0.1:8470": reader.url})

    assert ran >= 12


def test_every_command_of_the_first_five_minutes_works(registry: Registry, reader: Shipway) -> None:
    shutil.copytree(REPOSITORY / "examples/hello", reader.folder / "examples/hello")

    ran = run_all("docs/start.md", reader, {REGISTRY: registry.address, "http://127.0.0.1:8470": reader.url})

    assert ran == 11


@pytest.mark.timeout(1200)
def test_every_command_of_the_page_for_dockers_users_works(
    shipway: Shipway, fleet: Fleet, locked_registry: Registry
) -> None:
    """The page takes it that the workers have an image `alpine:3`, and one of them a container `web`."""
    dockerfile = f"FROM alpine:3 AS app\nARG VERSION\nRUN echo {once()} > /word\n"
    files = {"Dockerfile": dockerfile, "Dockerfile.tiny": dockerfile, "token.txt": "secret", "conf/app.conf": "a=1\n"}
    write(shipway.folder, {name: text.encode() for name, text in files.items()})
    for daemon in (fleet.one, fleet.two):
        assert daemon.docker("tag", "base", "alpine:3").returncode == 0
    started = fleet.one.docker("run", "--detach", "--network=none", "--name=web", "alpine:3", "sleep", "600")
    assert started.returncode == 0, started.stderr
    try:
        addresses = {REGISTRY: fleet.registry.address, "registry.example.com": locked_registry.address}
        ran = run_all("docs/docker-to-shipway.md", shipway, addresses)
    finally:
        fleet.one.docker("rm", "--force", "web")

    assert ran > 40
