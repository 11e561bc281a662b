"""What logs may not tell."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import structlog
{start}
def work(password):
    raise RuntimeError("the work went wrong")
try:
    work("canary-in-a-variable")
except RuntimeError:
    structlog.get_logger().exception("unexpected")
"""


@pytest.mark.parametrize("start", ["import workers.app", "from service.main import create_app; create_app()"])
def test_traceback_shows_code_and_no_variables(start: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(start=start)],
        env={"SHIPWAY_REDIS_URL": "redis://127.0.0.1:1/0", "SHIPWAY_STORE_URL": "memory://"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "the work went wrong" in done.stdout
    assert "in work" in done.stdout
    assert "canary" not in done.stdout + done.stderr
