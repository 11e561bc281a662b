"""One child process of the local stack: started, watched, stopped, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.waiting import wait_until


class PartError(RuntimeError):
    """A part of the local stack did not start, or died. The message names it and ends with its log's last lines."""


class Child:
    """A process in a session of its own, with its output in a file.

    Its own session keeps a terminal's Ctrl-C away from it: the supervisor decides in which order parts stop.
    If the supervisor is killed, the kernel sends the child SIGTERM (`setpriv --pdeathsig`, of util-linux). Trap:
    that signal comes when the *thread* that started the child ends, so start children from a lasting thread.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.command = [str(word) for word in command]
        self.log = log
        self.env = dict(os.environ if env is None else env)
        self.cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the present or last run; raises PartError before the first start."""
        if self._process is None:
            raise PartError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, ready: Callable[[], bool], limit: float = 30.0) -> None:
        """Start the process and wait until `ready()` is true.

        Raises:
            PartError: it could not be started, ended early, or was not ready within `limit` seconds; it is stopped.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            try:
                self._process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self.env,
                    cwd=self.cwd,
                    start_new_session=True,
                )
            except OSError as error:
                raise PartError(f"{self.name} could not be started: {error}") from error
        try:
            self._await(ready, limit)
        except BaseException:  # Ctrl-C while waiting must not leave it behind either
            self.stop()
            raise

    def stop(self, grace: float = 15.0) -> None:
        """End it: SIGTERM, after `grace` seconds SIGKILL; whatever else is in its process group is killed as well."""
        if self._process is None:
            return
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
            wait_until(lambda: not self.alive, grace)
        self._signal_group(signal.SIGKILL)
        self._process.wait()

    def kill(self) -> None:
        """`kill -9` the process (only it, not its group) and wait until it is gone: for fault tests."""
        if self.alive and self._process is not None:
            self._process.kill()
            self._process.wait()

    def report(self, what: str, lines: int = 20) -> str:
        """One message: the part, what happened to it, its exit code and the last lines of its log."""
        code = self._process.poll() if self._process else None
        ending = "" if code is None else f" (exit code {code})"
        tail = "\n".join(f"  | {line}" for line in self.last_lines(lines))
        return f"{self.name} {what}{ending}; the end of {self.log}:\n{tail}"

    def last_lines(self, lines: int = 20) -> list[str]:
        """Return the last lines of its output so far."""
        try:
            with self.log.open(encoding="utf-8", errors="replace") as text:
                return [line.rstrip("\n") for line in deque(text, lines)]
        except OSError:
            return []

    def _await(self, ready: Callable[[], bool], limit: float) -> None:
        wait_until(lambda: not self.alive or ready(), limit)
        if not self.alive:
            raise PartError(self.report("ended while starting"))
        if not ready():
            raise PartError(self.report(f"was not ready after {limit:.0f} s"))

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)  # start_new_session made the pid the group's id
        except (ProcessLookupError, PermissionError):
            return


class Part(ABC):
    """One process of a stack; it runs while entered.

    Attributes:
        child: the process.
    """

    child: Child

    @abstractmethod
    def start(self) -> None:
        """Start it (again, with what it had) and wait until it serves; raises PartError."""

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self.child.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
