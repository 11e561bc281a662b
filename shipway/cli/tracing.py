"""A trace's beginning: one span around a command that starts a job, where the environment asks for traces."""

from __future__ import annotations

import os
from collections.abc import Callable

from shipway.telemetry import Traces, inherited, place, traces

FLUSH = 5.0
"""Seconds that sending the span may hold up the end of a command, unless the exporter's own limit is set."""


def traced(work: Callable[..., object], command: Callable[[], int]) -> int:
    """Run a command, which has the name of its work; returns its exit code."""
    own = _traces()
    span = own.begin(f"shipway {getattr(work, '__name__', 'command')}", inherited(), kind="client")
    before = place.set(span.place)
    error = "interrupted"
    try:
        code = command()
        error = f"exit code {code}" if code else ""
    except Exception as fault:
        error = getattr(fault, "slug", type(fault).__name__)
        raise
    else:
        return code
    finally:
        place.reset(before)
        span.end(error=error)
        own.flush(_limit())


def _limit() -> float:
    try:
        return float(os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"])
    except (KeyError, ValueError):
        return FLUSH


def _traces() -> Traces:
    """Those asked for; none without the extra, for what asks may be meant for other programs of a CI job."""
    try:
        return traces("shipway")
    except ImportError:
        return Traces()
