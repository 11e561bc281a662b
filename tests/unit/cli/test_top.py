"""`shipway top` on a terminal, and where there is none."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.client.stand_in import JOB, StandIn, wait_until

COMMAND = (sys.executable, "-m", "shipway.cli", "top")


@pytest.fixture
def environment(service: StandIn, tmp_path: Path) -> dict[str, str]:
    service.hold = True
    path = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    return {**path, "SHIPWAY_URL": service.url, "TERM": "xterm", "LINES": "30", "COLUMNS": "160"}


class Terminal:
    """`shipway top` on a terminal of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.fd, theirs = pty.openpty()
        self.process = subprocess.Popen(COMMAND, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        self.output = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while part := os.read(self.fd, 4096):
                self.output += part
        except OSError:
            pass  # Linux reports the end of a terminal as an error


def _press_q(terminal: Terminal) -> None:
    os.write(terminal.fd, b"q")


def _interrupt(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("end", [_press_q, _interrupt])
def test_terminal_is_drawn_anew_and_left_as_it_was(
    environment: dict[str, str], end: Callable[[Terminal], None]
) -> None:
    terminal = Terminal(environment)
    wait_until(lambda: terminal.output.count(b"slots taken") >= 2, 60)
    end(terminal)

    assert terminal.process.wait(20) == 0
    assert JOB.encode() in terminal.output
    assert b"\x1b[?1049l" in terminal.output  # back from the second screen


@pytest.mark.parametrize("more", [{}, {"TERM": "dumb"}])
def test_without_a_terminal_to_draw_on_it_is_told_once(environment: dict[str, str], more: dict[str, str]) -> None:
    told = subprocess.run(COMMAND, env=environment | more, capture_output=True, text=True, check=True).stdout

    assert JOB in told
    assert "w1" in told
    assert "\x1b" not in told


def test_json_has_workers_and_jobs(environment: dict[str, str]) -> None:
    told = subprocess.run([*COMMAND, "--json"], env=environment, capture_output=True, text=True, check=True).stdout

    assert {job["id"] for job in json.loads(told)["jobs"]} == {JOB}
    assert json.loads(told)["workers"][0]["name"] == "w1"
