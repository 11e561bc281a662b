"""The live display of a terminal: what has ended scrolls up, what goes on stays below and moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from shipway.cli.text import one_line, seconds, sent_text, size
from shipway.cli.trace import StepTrace, Trace, body_of, transfer_name
from shipway.models.states import JobState, StepStatus

if TYPE_CHECKING:
    from shipway.models.event import Event, StateChanged
    from shipway.models.event import Progress as Transfer
    from shipway.models.job import Job

TAIL = 6
"""Lines of a running step's log that are shown; fewer when several steps run."""
_REFRESH = 10
_LOOKS = {
    StepStatus.CACHED: ("CACHED", "cyan"),
    StepStatus.EXECUTED: ("✓", "green"),
    StepStatus.FAILED: ("ERROR", "bold red"),
    StepStatus.CANCELLED: ("CANCELED", "yellow"),
    StepStatus.RUNNING: ("…", "blue"),
}


class LiveDisplay:
    """Draws on a terminal until closed."""

    def __init__(self, console: Console, sending: str = "context") -> None:
        self.trace = Trace()
        self._console = console
        self._sending = sending
        self._state = ""
        self._spared = 0
        self._begun: dict[tuple[int, int], float] = {}
        self._ended: dict[tuple[int, int], StepStatus] = {}
        self._pushes: dict[str, Transfer] = {}
        self._upload = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._bar = self._upload.add_task(f"sending {sending}", total=None, visible=False)
        self._live = Live(
            _Moving(self), console=console, refresh_per_second=_REFRESH, transient=True, redirect_stdout=False
        )
        self._live.start()

    def uploading(self, sent: int, total: int | None) -> None:
        """Move the bar."""
        self._upload.update(self._bar, completed=sent, total=max(sent, total) if total else None, visible=True)

    def spared(self, size: int) -> None:
        """Remember it for the line with the job's id."""
        self._spared = size

    def downloading(self, taken: int, total: int | None) -> None:
        """Move the bar."""
        self._pushes.clear()
        self._upload.update(self._bar, description="receiving archive", completed=taken, total=total, visible=True)

    def accepted(self, job: Job) -> None:
        """Show the job's id, and the bar no more."""
        self._upload.update(self._bar, visible=False)
        sent = int(self._upload.tasks[0].completed)
        self._above(Text(f"job {job.id}{sent_text(self._sending, sent, self._spared)}", style="dim"))
        self._state = job.state

    def notice(self, text: str) -> None:
        """Print it above what moves."""
        self._above(Text(one_line(text), style="yellow"))

    def close(self) -> None:
        """Take away what moves."""
        self._live.stop()

    def event(self, event: Event) -> None:
        """Take it in; what has ended is printed for good."""
        body = body_of(event)
        for line in self.trace.apply(event):
            if line.step is None:  # of no step that is drawn below: the output of a commit's commands
                self._above(Text.from_ansi(line.text))
        if body.type == "step":
            self._step(body.step.number)
        elif body.type == "state":
            self._change_state(body, event.attempt)
        elif body.type == "progress" and body.step is None:
            self._pushes[body.id] = body
        elif body.type == "warning":
            self._above(Text(f"warning: {one_line(body.message)}", style="yellow"))
        elif body.type == "pushed":
            self._pushes.clear()
            self._above(Text(f"pushed {one_line(body.reference)} {body.digest}", style="green"))
        elif body.type == "answered":
            self._above(Text(f"nothing has changed since job {one_line(body.job)}: this is its result", style="cyan"))
        elif body.type == "joined":
            told = f"job {one_line(body.job)} builds the same just now: waiting for its result"
            self._above(Text(told, style="cyan"))

    def moving(self, height: int) -> Iterator[RenderableType]:
        """What goes on now, in at most about so many lines."""
        if not self._upload.finished and self._upload.tasks[0].visible:
            yield self._upload
        running = self.trace.running
        room = max(0, min(TAIL, (height - 2) // max(1, len(running)) - 1))
        for trace in running[: max(1, height - 2)]:
            yield from self._running(trace, room)
        for push in list(self._pushes.values())[-TAIL:]:
            yield Text(_transfer(push), style="dim", no_wrap=True, overflow="ellipsis")
        if self._state:
            yield Text(self._state, style="dim")

    def _running(self, trace: StepTrace, room: int) -> Iterator[RenderableType]:
        begun = self._begun.get((self.trace.attempt, trace.step.number), time.monotonic())
        yield _line(trace, time.monotonic() - begun)
        for transfer in list(trace.progress.values())[-2:]:
            yield Text(f"    {_transfer(transfer)}", style="dim", no_wrap=True, overflow="ellipsis")
        for line in list(trace.tail)[-room:] if room else ():
            text = Text.from_ansi(f"    {line.text}".expandtabs(4), no_wrap=True, overflow="ellipsis")
            text.stylize("dim")
            yield text

    def _step(self, number: int) -> None:
        key = (self.trace.attempt, number)
        trace = self.trace.steps[number]
        self._begun.setdefault(key, time.monotonic())
        status = trace.step.status
        if self._ended.get(key) == status:
            return  # the builder repeats itself
        self._ended[key] = status
        if status != StepStatus.RUNNING:
            self._above(_line(trace, trace.duration))

    def _change_state(self, body: StateChanged, attempt: int) -> None:
        worker = f" on {one_line(body.worker)}" if body.worker else ""
        again = f", attempt {attempt}" if attempt > 1 else ""
        self._state = f"{body.state}{worker}{again}"
        if body.state == JobState.QUEUED and attempt > 0:
            self.notice("back in the queue" + (f": {body.error.message}" if body.error else ""))

    def _above(self, renderable: RenderableType) -> None:
        self._console.print(renderable, highlight=False)


class _Moving:
    """Asks the display anew at each refresh."""

    def __init__(self, display: LiveDisplay) -> None:
        self._display = display

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        yield Group(*self._display.moving(options.max_height))


def _line(trace: StepTrace, duration: float | None) -> Table:
    """One step on one line: mark, name, time at the right."""
    mark, style = _LOOKS[trace.step.status]
    table = Table.grid(expand=True, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, justify="right")
    shown = seconds(duration) if duration is not None and trace.step.status != StepStatus.CACHED else ""
    name_style = "dim" if trace.step.internal else ""
    table.add_row(Text(mark, style), Text(one_line(trace.step.name), name_style), Text(shown, "dim"))
    return table


def _transfer(transfer: Transfer) -> str:
    total = f" / {size(transfer.total)}" if transfer.total else ""
    return f"{transfer_name(transfer)} {size(transfer.current)}{total}"
