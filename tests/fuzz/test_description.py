"""schemathesis asks the service what its description promises, and what it doesn't: no 500, no undocumented answer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.engine import REPOSITORY
from deploy.local.redis import RedisServer
from deploy.local.servers import Service, Shared, authorization

INPUTS = int(os.environ.get("SHIPWAY_FUZZ_INPUTS", "100"))
BUDGET = min(INPUTS * 0.35, 600.0)
"""Seconds in all: 35 in `make test`, ten minutes in `make fuzz`."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that nothing slows down, and no worker: what it accepts stays queued."""
    with RedisServer(tmp_path / "redis") as redis:
        extra = {"SHIPWAY_MAX_REQUESTS": "100000", "SHIPWAY_MAX_QUEUED": "1000000"}
        running = Service(Shared(redis.url, tmp_path / "store", "A" * 43 + "=", extra), tmp_path)
        running.start()
        yield running
        running.stop()


@pytest.mark.timeout(BUDGET * 4 + 180)
def test_service_answers_as_it_describes_itself(service: Service, tmp_path: Path) -> None:
    [(name, value)] = authorization(service.token).items()
    command = [
        *(Path(sys.executable).parent / "schemathesis", "--config-file", REPOSITORY / "tests/fuzz/schemathesis.toml"),
        *("run", f"{service.url}/openapi.json", "--header", f"{name}: {value}", "--no-color"),
        *("--phases", "coverage,fuzzing", "--max-examples", str(INPUTS // 20), "--max-time", f"{BUDGET:.0f}"),
        *(("--seed", "1") if INPUTS == 100 else ()),  # what is tried in CI is the same every time
    ]

    told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stdout[-20_000:] + told.stderr
    assert "Coverage" in told.stdout
    assert "unexpected error" not in (tmp_path / "service.log").read_text()
