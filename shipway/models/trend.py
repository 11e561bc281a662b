"""How builds went in one span of time.

Durations are counted in buckets whose borders grow by `GROWTH`, so that hours add up to days and a percentile of any
span comes out of the sum, at most 5 % off.
"""

from __future__ import annotations

import math
from collections import Counter

from shipway.models.event import StepStatus
from shipway.models.job import Job, counted_steps

HOUR = 3600
GROWTH = 1.1
_SHORTEST = 0.01
"""Seconds; whatever is shorter falls into the first bucket."""


class Trend:
    """The builds of a project that ended in one span of time, counted.

    Attributes:
        start: where the span begins, seconds since the epoch.
        counts: what was counted, by name.
    """

    def __init__(self, start: int, counts: Counter[str] | None = None) -> None:
        self.start = start
        self.counts = counts or Counter()

    @property
    def builds(self) -> int:
        """How many builds ended."""
        return self.counts["builds"]

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return self.counts["failed"]

    @property
    def spared(self) -> int:
        """Bytes of context that daemons did not need to be sent."""
        return self.counts["spared"]

    @property
    def hit_ratio(self) -> float | None:
        """Cached ÷ all steps that count, or None without any."""
        steps = self.counts["steps"]
        return self.counts["cached"] / steps if steps else None

    def build_seconds(self, share: float) -> float | None:
        """The time from start to end that this share (0 to 1) of the builds did not exceed; None without any."""
        return self._percentile("built:", share)

    def queue_seconds(self, share: float) -> float | None:
        """The time in the queue that this share (0 to 1) of the builds did not exceed; None without any."""
        return self._percentile("queued:", share)

    def add(self, other: Trend) -> None:
        """Count what another span counted as well."""
        self.counts.update(other.counts)

    def _percentile(self, prefix: str, share: float) -> float | None:
        buckets = sorted((int(k.removeprefix(prefix)), n) for k, n in self.counts.items() if k.startswith(prefix))
        left = math.ceil(share * sum(n for _, n in buckets))
        for bucket, number in buckets:
            left -= number
            if left <= 0:
                return _SHORTEST * GROWTH**bucket
        return None


def counts_of(job: Job) -> Counter[str]:
    """What one ended build adds to the counts of its hour."""
    steps, timings = counted_steps(job.steps), job.timings
    counts = Counter(
        builds=1,
        failed=int(job.error is not None),
        steps=len(steps),
        cached=sum(step.status is StepStatus.CACHED for step in steps),
        spared=job.result.context_spared,
    )
    if timings.started is not None and timings.finished is not None:
        counts[f"built:{_bucket(timings.finished - timings.started)}"] += 1
        counts[f"queued:{_bucket(timings.started - timings.created)}"] += 1
    return counts


def _bucket(seconds: float) -> int:
    return max(0, round(math.log(max(seconds, _SHORTEST) / _SHORTEST, GROWTH)))
