"""What is known of a job from its events so far: the one state that all displays show."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast

from shipway.cli.text import LineBuffer, one_line
from shipway.models.states import StepStatus

if TYPE_CHECKING:
    from shipway.models.event import Event, EventBody, Progress, Step

TAIL = 20
"""Lines of a step's log that are kept."""


class LogLine(NamedTuple):
    """A whole line that a step wrote; `offset` is seconds since the step began."""

    step: int | None
    offset: float
    text: str


class StepTrace:
    """One step, when it was first heard of (by the service's clock), and the end of its log."""

    def __init__(self, step: Step, since: float) -> None:
        self.step = step
        self.since = since
        self.tail: deque[LogLine] = deque(maxlen=TAIL)
        self.progress: dict[str, Progress] = {}

    @property
    def duration(self) -> float | None:
        """Seconds from start to end, by the builder's clock; None before the end."""
        if self.step.started is None or self.step.completed is None:
            return None
        return max(0.0, self.step.completed - self.step.started)


class Trace:
    """Takes events in order. A new attempt starts with no steps."""

    def __init__(self) -> None:
        self.attempt = 0
        self.steps: dict[int, StepTrace] = {}
        self._buffers: dict[tuple[int | None, str], LineBuffer] = {}

    def apply(self, event: Event) -> list[LogLine]:
        """Take an event; return the log lines it completes."""
        if event.attempt > self.attempt:
            self.attempt = event.attempt
            self.steps.clear()
            self._buffers.clear()
        body = body_of(event)
        if body.type == "step":
            return self._step(body.step, event.at)
        if body.type == "log":
            buffer = self._buffers.setdefault((body.step, body.stream), LineBuffer())
            return self._lines(body.step, event.at, buffer.feed(body.text))
        if body.type == "progress" and body.step in self.steps:
            self.steps[body.step].progress[body.id] = body
        return []

    @property
    def running(self) -> list[StepTrace]:
        """The steps that run now."""
        return [trace for trace in self.steps.values() if trace.step.status == StepStatus.RUNNING]

    def named(self, name: str | None) -> StepTrace | None:
        """The failed step of this name; without a name, or when none fits, any step that failed."""
        failed = [trace for trace in self.steps.values() if trace.step.status == StepStatus.FAILED]
        fitting = [trace for trace in self.steps.values() if name is not None and trace.step.name == name]
        return next(iter([t for t in fitting if t in failed] or fitting or failed), None)

    def _step(self, step: Step, at: float) -> list[LogLine]:
        trace = self.steps.get(step.number)
        if trace is None:
            self.steps[step.number] = StepTrace(step, at)
        else:
            trace.step = step
        if step.status == StepStatus.RUNNING:
            return []
        ends = [buffer.flush() for (number, _), buffer in self._buffers.items() if number == step.number]
        return self._lines(step.number, at, [line for lines in ends for line in lines])

    def _lines(self, number: int | None, at: float, texts: list[str]) -> list[LogLine]:
        trace = self.steps.get(number) if number is not None else None
        offset = max(0.0, at - trace.since) if trace else 0.0
        lines = [LogLine(number, offset, text) for text in texts]
        if trace is not None:
            trace.tail.extend(lines)
        return lines


def body_of(event: Event) -> EventBody:
    """What an event says, to be told by its `type`. Of types that only a newer version knows nothing else is read."""
    return cast("EventBody", event.body)


def transfer_name(transfer: Progress) -> str:
    """What moves and how: `Pushing 5f70bf18a086`. Builders often say both in the id: `transferring context:`."""
    name = one_line(transfer.id).rstrip(": ")
    action = one_line(transfer.action)
    return name if name.lower().startswith(action.lower()) else f"{action} {name}"
