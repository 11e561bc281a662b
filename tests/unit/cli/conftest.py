"""The command as a process, against a stand-in of the service."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.client.stand_in import StandIn, running_stand_in

COMMAND = (sys.executable, "-m", "shipway.cli")
Shipway = Callable[..., "subprocess.CompletedProcess[str]"]
DOCKERFILE = "FROM base\nCOPY . .\nRUN exit 3\n"


@pytest.fixture
def service() -> Iterator[StandIn]:
    with running_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def environment(service: StandIn, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text(DOCKERFILE)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SHIPWAY_URL": service.url,
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "TERM": "xterm",
    }


@pytest.fixture
def shipway(environment: dict[str, str], tmp_path: Path) -> Shipway:
    def run(*args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *args], input=stdin, capture_output=True, env=environment, cwd=tmp_path, timeout=60, check=False
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
