"""Keeps floods of progress reports down to what a person can see."""

from __future__ import annotations

import time
from collections.abc import Callable

from shipway.models.event import Progress


class Throttle:
    """Lets at most `rate` reports per second through for each thing that moves.

    A report of a new action and one that completes its thing always pass.
    """

    def __init__(self, rate: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate
        self._clock = clock
        self._last: dict[tuple[int | None, str], tuple[float, Progress]] = {}

    def passes(self, report: Progress) -> bool:
        """Tell whether a report is worth passing on now; a repetition never is."""
        key, now = (report.step, report.id), self._clock()
        at, before = self._last.get(key, (float("-inf"), None))
        if report == before:
            return False
        complete = report.total is not None and report.current >= report.total
        if before is None or complete or report.action != before.action or now - at >= self._interval:
            self._last[key] = (now, report)
            return True
        return False
