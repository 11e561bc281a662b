"""What one attempt adds to its job's trace: how long it waited, its phases, and its steps, all with their own times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from shipway.models.event import Step, StepStatus
from shipway.models.job import Job
from shipway.telemetry import Traces

MAX_NAME = 200
"""Characters of a step's name that are told."""
BUILD = "build"
"""The phase that steps belong to."""


class Phase(NamedTuple):
    """One phase of an attempt; times are seconds since the epoch."""

    name: str
    start: float
    end: float


def trace_attempt(
    traces: Traces, job: Job, end: float, error: str, phases: Iterable[Phase] = (), steps: Iterable[Step] = ()
) -> None:
    """Tell of an attempt that has ended.

    Args:
        traces: where to.
        job: its record as of that attempt.
        end: when it ended, seconds since the epoch.
        error: slug of what it failed by; '' if it didn't.
        phases: its phases.
        steps: its steps, with nothing secret in their names.
    """
    if not job.trace:
        return
    start = job.timings.started or end
    traces.begin("queue", job.trace, job.timings.queued or job.timings.created, attributes=_about(job)).end(start)
    attempt = traces.begin(f"attempt {job.attempt}", job.trace, start, attributes=_about(job))
    below = attempt.place
    for phase in phases:
        span = traces.begin(phase.name, attempt.place, phase.start)
        span.end(phase.end)
        below = span.place if phase.name == BUILD else below
    for step in steps:
        _trace_step(traces, step, below)
    attempt.end(end, error)


def _trace_step(traces: Traces, step: Step, parent: str) -> None:
    if step.started is None or step.completed is None:
        return
    span = traces.begin(
        step.name[:MAX_NAME],
        parent,
        step.started,
        attributes={
            "shipway.step.status": str(step.status),
            "shipway.step.number": step.number,
            "shipway.step.internal": step.internal,
        },
    )
    span.end(step.completed, (step.error or "failed") if step.status is StepStatus.FAILED else "")


def _about(job: Job) -> dict[str, str | int]:
    return {
        "shipway.job.id": job.id,
        "shipway.job.kind": str(job.kind),
        "shipway.project": job.project,
        "shipway.attempt": job.attempt,
        "shipway.worker": job.worker or "",
    }
