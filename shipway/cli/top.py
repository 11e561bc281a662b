"""`shipway top`: what the workers do and what waits, drawn anew every second."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shipway.cli.listing import STATE_STYLES, with_client
from shipway.cli.tables import console, print_json, table
from shipway.cli.text import one_line, seconds, size
from shipway.client import AsyncClient
from shipway.exceptions import ShipwayError
from shipway.models.event import StepStatus
from shipway.models.job import Job, JobState, counted_steps, names_of
from shipway.models.worker import Worker

ROUND = 1.0
"""Seconds between two looks."""
LIMIT = 100
"""Jobs of each state that are looked at."""
_BAR = 12
_HEADS = 7
"""Lines that are no rows of jobs: the head, two headings, blank lines, what is left out."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What was seen at one look; `raw` is as the service gave it."""

    raw: dict[str, Any]
    at: float

    @property
    def workers(self) -> list[Worker]:
        """The workers, by name."""
        return [Worker.model_validate(each) for each in self.raw["workers"]]

    @property
    def jobs(self) -> list[Job]:
        """The jobs that run, longest first, then those that wait, in the order in which they came."""
        found = [Job.model_validate(each) for each in self.raw["jobs"]]
        return sorted(found, key=lambda job: (job.state is JobState.QUEUED, _since(job)))


def top(url: str | None, *, once: bool, as_json: bool) -> int:
    """Draw until `q` or Ctrl-C; once where there is no terminal that can be drawn on."""
    screen = Console()
    if as_json or once or not screen.is_terminal or screen.is_dumb_terminal or not sys.stdin.isatty():
        seen = with_client(url, _look)
        if as_json:
            print_json(seen.raw)
        else:
            console().print(_drawn(seen, None))
        return 0
    return asyncio.run(_watch(url, screen))


async def _watch(url: str | None, screen: Console) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    async with AsyncClient(url) as client:
        seen, trouble = await _look(client), ""
        with _keys(stop), Live(console=screen, screen=True, auto_refresh=False) as live:
            while not stop.is_set():
                live.update(_drawn(seen, screen.height, trouble), refresh=True)
                try:
                    async with asyncio.timeout(ROUND):
                        await stop.wait()
                except TimeoutError:
                    seen, trouble = await _look_again(client, seen)
    return 0


async def _look_again(client: AsyncClient, before: Picture) -> tuple[Picture, str]:
    """Look; what was seen before stays while the service is away."""
    try:
        return await _look(client), ""
    except ShipwayError as fault:
        return before, one_line(fault.message)


async def _look(client: AsyncClient) -> Picture:
    workers, running, queued = await asyncio.gather(
        client.get_json("/v1/workers"),
        client.get_json("/v1/jobs", state="running", limit=LIMIT),
        client.get_json("/v1/jobs", state="queued", limit=LIMIT),
    )
    return Picture({"workers": workers["workers"], "jobs": running["jobs"] + queued["jobs"]}, time.time())


@contextmanager
def _keys(stop: asyncio.Event) -> Iterator[None]:
    """Read keys as they are pressed; `q` stops."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        typed = os.read(keyboard, 64)
        if not typed or b"q" in typed.lower():
            stop.set()

    tty.setcbreak(keyboard)
    loop.add_reader(keyboard, pressed)
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _drawn(seen: Picture, height: int | None, trouble: str = "") -> RenderableType:
    """Everything, in so many lines if that is limited."""
    workers, jobs = seen.workers, seen.jobs
    room = len(jobs) if height is None else max(1, height - _HEADS - len(workers))
    parts: list[RenderableType] = [_head(workers, jobs, seen.at, trouble), Text(), _workers(workers), Text()]
    parts.append(_jobs(jobs[:room], seen.at) if jobs else Text("Nothing runs, nothing waits.", "dim"))
    if jobs[room:]:
        parts.append(Text(f"and {len(jobs) - room} more", "dim"))
    return Group(*parts)


def _head(workers: list[Worker], jobs: list[Job], at: float, trouble: str) -> Text:
    running, capacity = sum(worker.running for worker in workers), sum(worker.capacity for worker in workers)
    waiting = sum(job.state is JobState.QUEUED for job in jobs)
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    text = Text(f"shipway  {clock}   {running} of {capacity} slots taken, {waiting} of your jobs waiting", "bold")
    return text.append(f"   {trouble}", "red") if trouble else text


def _workers(workers: list[Worker]) -> Table:
    listed = table("WORKER", "STATE", "SLOTS", "", "DISK FREE", "ENGINE", folding="")
    for worker in workers:
        state = worker.state + (f": {one_line(worker.problem)}" if worker.problem else "")
        bar = ProgressBar(total=worker.capacity, completed=worker.running, width=_BAR)
        disk = size(worker.disk_free) if worker.disk_free is not None else "-"
        slots = f"{worker.running}/{worker.capacity}"
        listed.add_row(one_line(worker.name), state, slots, bar, disk, one_line(worker.daemon_version or "?"))
    return listed


def _jobs(jobs: list[Job], at: float) -> Table:
    listed = table("JOB", "STATE", "KIND", "TIME", "WORKER", "STEP", "NAMES", folding="")
    for job in jobs:
        state = Text(job.state, STATE_STYLES[job.state])
        took = seconds(max(0.0, at - _since(job)))
        names = Text(", ".join(names_of(job)) or "-", overflow="ellipsis")
        listed.add_row(job.id, state, job.kind, took, one_line(job.worker or "-"), _step(job), names)
    return listed


def _step(job: Job) -> Text:
    """What a job does now, and how many steps it took from the cache so far."""
    now = next((step.name for step in reversed(job.steps) if step.status is StepStatus.RUNNING), "")
    cached = sum(step.status is StepStatus.CACHED for step in counted_steps(job.steps))
    told = ", ".join(part for part in (one_line(now)[:40], f"{cached} cached" if cached else "") if part)
    return Text(told or "-", overflow="ellipsis")


def _since(job: Job) -> float:
    """Since when a job is in its state."""
    return (job.timings.started if job.state is JobState.RUNNING else job.timings.queued) or job.timings.created
