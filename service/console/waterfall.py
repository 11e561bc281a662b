"""Where the steps of a build lie on its time axis, in per cent of the axis."""

from __future__ import annotations

import time
from dataclasses import dataclass

from service.console import figures
from shipway.models.event import Step, StepStatus
from shipway.models.job import Job

_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000)
"""Seconds that may lie between two marks of an axis."""
_MOST_TICKS = 6
_THINNEST = 0.6
"""Per cent that a bar takes at least, to be seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One step on the axis; `left` and `width` are per cent, `seconds` how long it ran (so far)."""

    step: Step
    left: float
    width: float
    seconds: float | None
    inputs: tuple[Step, ...]

    @property
    def told(self) -> str:
        """The bar in words."""
        words = {
            StepStatus.RUNNING: f"running for {figures.seconds(self.seconds)}",
            StepStatus.CACHED: "taken from the cache",
            StepStatus.EXECUTED: f"ran {figures.seconds(self.seconds)}",
            StepStatus.FAILED: f"failed after {figures.seconds(self.seconds)}",
            StepStatus.CANCELLED: f"cancelled after {figures.seconds(self.seconds)}",
        }
        inputs = "; ".join(step.name for step in self.inputs)
        return words[self.step.status] + (f"\nbuilds upon: {inputs}" if inputs else "")


@dataclass(frozen=True, slots=True)
class Waterfall:
    """All steps on one axis; `ticks` are its marks: per cent and label."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]


def waterfall(job: Job) -> Waterfall:
    """Lay out the steps of a job, running ones up to now."""
    now = time.time()
    starts = [step.started for step in job.steps if step.started is not None]
    if not starts:
        return Waterfall(tuple(Bar(step, 0, 0, None, ()) for step in job.steps), ())
    begin = min(starts)
    ends = [_end(step, now) for step in job.steps if step.started is not None]
    length = max(max(ends) - begin, 0.1)
    by_number = {step.number: step for step in job.steps}
    bars = tuple(_bar(step, begin, length, now, by_number) for step in job.steps)
    return Waterfall(bars, _ticks(length))


def _bar(step: Step, begin: float, length: float, now: float, by_number: dict[int, Step]) -> Bar:
    inputs = tuple(by_number[number] for number in step.inputs if number in by_number)
    if step.started is None:
        return Bar(step, 0, 0, None, inputs)
    took = max(0.0, _end(step, now) - step.started)
    width = max(_THINNEST, took / length * 100)
    left = min((step.started - begin) / length * 100, 100 - width)
    return Bar(step, round(max(0.0, left), 2), round(width, 2), took, inputs)


def _end(step: Step, now: float) -> float:
    if step.completed is not None:
        return step.completed
    return now if step.status is StepStatus.RUNNING else step.started or now


def _ticks(length: float) -> tuple[tuple[float, str], ...]:
    gap = next((gap for gap in _TICKS if length / gap <= _MOST_TICKS), _TICKS[-1])
    count = int(length / gap * 0.92)  # a mark at the very end has no room for its label
    return tuple((round(n * gap / length * 100, 2), _label(n * gap, gap)) for n in range(count + 1))


def _label(at: float, gap: float) -> str:
    if gap < 1:
        return f"{at:.1f} s"
    return figures.seconds(at) if at >= 10 else f"{at:.0f} s"  # noqa: PLR2004 - where figures.seconds drops tenths
