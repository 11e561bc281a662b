"""What signals do to the command, and to its job."""

from __future__ import annotations

import fcntl
import signal
import struct
import subprocess
import termios
from typing import Any

import pytest

from shipway.models.event import StateChanged
from tests.unit.cli.conftest import COMMAND
from tests.unit.client.stand_in import JOB, StandIn, problem, wait_until


def start(environment: dict[str, str], *args: str, **more: Any) -> subprocess.Popen[bytes]:
    cwd = environment["HOME"]
    return subprocess.Popen([*COMMAND, *args], env=environment, cwd=cwd, stderr=subprocess.PIPE, **more)


def waiting_bytes(pipe: Any) -> int:
    """Bytes in a pipe that nobody has read yet."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(count)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_job(number: int, code: int, environment: dict[str, str], service: StandIn) -> None:
    service.script(StateChanged(state="running"))
    process = start(environment, "build", "context")
    wait_until(service.connected.is_set)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)

    assert process.returncode == code
    assert service.cancelled.is_set()
    assert f"job {JOB} was cancelled" in stderr.decode()


def test_a_second_ctrl_c_leaves_at_once(environment: dict[str, str], service: StandIn) -> None:
    service.script(StateChanged(state="running"))
    service.refuse(f"/v1/jobs/{JOB}/cancel", problem(422, "invalid-request", "never"))
    process = start(environment, "build", "context")
    wait_until(service.connected.is_set)
    service.hold = True
    service.script = lambda *_, **__: None  # type: ignore[method-assign]  # the job never ends
    process.send_signal(signal.SIGINT)
    wait_until(service.cancelled.is_set)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)

    assert process.returncode == 130


def test_ctrl_c_while_standard_input_is_silent_starts_nothing(environment: dict[str, str], service: StandIn) -> None:
    process = start(environment, "build", "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"too little to tell a tar from a Dockerfile")
    process.stdin.flush()
    wait_until(lambda: waiting_bytes(process.stdin) == 0)
    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 130
    assert service.builds == []
    process.communicate()
