"""One job on each of several workers: followed at the same time, shown and reported by worker."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shipway.cli.display import Display, JsonDisplay, SilentDisplay, as_json
from shipway.cli.plain import PlainDisplay
from shipway.cli.session import Session, draws
from shipway.cli.text import one_line, size
from shipway.cli.trace import body_of
from shipway.models.event import Event, Progress
from shipway.models.job import Job, JobState

_BAR = 24
_REFRESH = 8
_MOVING = frozenset({"Downloading", "Sending", "Loading layer", "Pushing"})
"""Actions whose bytes say how far a job is; others (extracting, verifying) go over the same bytes again."""


def worker_of(job: Job) -> str:
    """The worker a job runs on, or is to run on."""
    return job.worker or job.spec.worker or "any worker"


async def settle_all(session: Session, jobs: Sequence[Job], report: Callable[[Job], Iterable[str]]) -> int:
    """Follow one job for each worker to the end of them all; returns the exit code: 0 only if every one succeeded.

    Args:
        session: what the command works with.
        jobs: as the service accepted them.
        report: makes the lines for standard output of a job that succeeded.
    """
    if session.manner.detach and session.interruption.signal is None:
        session.display.close()
        print("\n".join(job.id for job in jobs))
        return 0
    # The display of a single job would draw on the same terminal.
    session.display.close()
    with _Board(session, jobs) as board:
        ended = await asyncio.gather(*(session.follow(job, board.display(job)) for job in jobs), return_exceptions=True)
    faults = [fault for fault in ended if isinstance(fault, BaseException)]
    done = [job for job in ended if not isinstance(job, BaseException)]
    for job in done:
        _tell(job, report)
    if faults:
        raise faults[0]
    return session.exit_code(succeeded=all(job.state == JobState.SUCCEEDED for job in done))


def _tell(job: Job, report: Callable[[Job], Iterable[str]]) -> None:
    name = one_line(worker_of(job))
    if job.state == JobState.SUCCEEDED:
        for line in report(job):
            print(f"{name}: {line}")
        return
    why = f"{one_line(job.error.message)} ({job.error.slug})" if job.error else str(job.state)
    print(f"{name}: error: {why}", file=sys.stderr)


class _Board:
    """All displays of one command."""

    def __init__(self, session: Session, jobs: Sequence[Job]) -> None:
        self._manner = session.manner
        self._rows = {job.id: _Row(worker_of(job)) for job in jobs}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if draws(self._manner):
            console = Console(stderr=True)
            self._live = Live(_Drawing(self._rows.values()), console=console, refresh_per_second=_REFRESH)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def display(self, job: Job) -> Display:
        """What shows one of the jobs."""
        if self._manner.quiet:
            return SilentDisplay(sys.stderr)
        if self._manner.progress == "json":
            return _NamedJson(job.id)
        if self._live is not None:
            return self._rows[job.id]
        return PlainDisplay(cast("TextIO", _Prefixed(f"{one_line(worker_of(job))} | ")))


class _Row(SilentDisplay):
    """One worker's line on the terminal."""

    def __init__(self, worker: str) -> None:
        super().__init__(sys.stderr)
        self.worker = worker
        self.state: str = JobState.QUEUED
        self._moved: dict[str, Progress] = {}

    def event(self, event: Event) -> None:
        """Take it in."""
        if event.attempt > self.trace.attempt:
            self._moved.clear()
        super().event(event)
        if (body := body_of(event)).type == "state":
            self.state = body.state
            self.worker = body.worker or self.worker
        elif body.type == "progress" and body.action in _MOVING:
            self._moved[body.id] = body

    @property
    def moved(self) -> tuple[int, int]:
        """Bytes moved, and bytes known to move in all."""
        layers = self._moved.values()
        return sum(layer.current for layer in layers), sum(layer.total or layer.current for layer in layers)


class _Drawing:
    """Draws the rows anew at each refresh."""

    def __init__(self, rows: Iterable[_Row]) -> None:
        self._rows = list(rows)

    def __rich_console__(self, _: Console, __: ConsoleOptions) -> RenderResult:
        table = Table.grid(padding=(0, 2, 0, 0))
        for row in self._rows:
            current, total = row.moved
            bar = ProgressBar(total=total or 1, completed=current, width=_BAR) if total else Text("")
            moved = f"{size(current)} / {size(total)}" if total else ""
            table.add_row(Text(one_line(row.worker), "bold"), Text(row.state), bar, Text(moved, "dim"))
        yield table


class _NamedJson(JsonDisplay):
    """Prints events as JSON with the id of their job, for there are several."""

    def __init__(self, job_id: str) -> None:
        super().__init__(sys.stderr)
        self._job_id = job_id

    def event(self, event: Event) -> None:
        """Print it."""
        self.trace.apply(event)
        line = {"job": self._job_id, **as_json(event)}
        self.notice(json.dumps(line))


class _Prefixed:
    """Standard error with a word before each line."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._at_start = True

    def write(self, text: str) -> int:
        sys.stderr.write("".join(self._marked(text)))
        return len(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def _marked(self, text: str) -> Iterator[str]:
        for line in text.splitlines(keepends=True):
            if self._at_start:
                yield self._prefix
            yield line
            self._at_start = line.endswith("\n")
