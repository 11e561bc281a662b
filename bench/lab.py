"""The stack that is measured, and how commands are timed in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deploy.local.dockerd import Dockerd
from deploy.local.processes import PartError
from deploy.local.registry import Registry
from deploy.local.stack import Stack

SHIPWAY = str(Path(sys.executable).with_name("shipway"))
LIMIT = 900.0
"""Seconds after which a command is given up."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Lab:
    """A running stack with a daemon and a registry of its own.

    Attributes:
        stack: everything that runs.
        folder: for trees and archives.
        rounds: how often each thing is measured.
        quick: whether smaller trees will do.
    """

    stack: Stack
    folder: Path
    rounds: int
    quick: bool

    @property
    def dockerd(self) -> Dockerd:
        if self.stack.dockerd is None:
            raise PartError("benchmarks need a daemon of their own")
        return self.stack.dockerd

    @property
    def registry(self) -> Registry:
        if self.stack.registry is None:
            raise PartError("benchmarks need a registry of their own")
        return self.stack.registry

    @property
    def docker(self) -> str:
        """Path of the engine's own client."""
        return self.dockerd.engine.program("docker")

    @property
    def shipway_env(self) -> dict[str, str]:
        """Environment of a user of Shipway, whose Python keeps what it compiled as any installed one does."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**inherited, "SHIPWAY_URL": self.stack.service.url, "SHIPWAY_TOKEN": self.stack.token}

    @property
    def docker_env(self) -> dict[str, str]:
        """Environment of a user of docker with BuildKit."""
        return self.dockerd.cli_env

    def alternating(self, peers: Mapping[K, Callable[[], float]]) -> dict[K, list[float]]:
        """Measure every peer once per round, each round beginning with another one; returns their samples."""
        samples: dict[K, list[float]] = {peer: [] for peer in peers}
        names = list(peers)
        for number in range(self.rounds):
            first = number % len(names)
            for peer in names[first:] + names[:first]:
                samples[peer].append(peers[peer]())
        return samples


def timed(command: Sequence[str], env: Mapping[str, str]) -> float:
    """Run a command and return how long it took, in seconds of the wall clock.

    Raises:
        PartError: it failed, with the end of what it said.
    """
    return run(command, env)[0]


def run(command: Sequence[str], env: Mapping[str, str]) -> tuple[float, str]:
    """As `timed`; returns the seconds and everything it said.

    It begins with idle disks: nobody pays for what another command, or a new tree, has left to be written.
    """
    os.sync()
    began = time.monotonic()
    done = subprocess.run(
        command,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise PartError(f"`{' '.join(command)}` ended with exit code {done.returncode}:\n{done.stdout[-2000:]}")
    return seconds, done.stdout


def say(text: str) -> None:
    """Tell on standard error what is going on: standard output is for the table."""
    print(text, file=sys.stderr, flush=True)
