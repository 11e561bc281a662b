"""How a project's builds went over the last hours and days."""

from __future__ import annotations

import time
from typing import Literal

from service.process import Process
from shipway.models.trend import HOUR, Trend
from shipway.storage.redis import reaching_redis

Span = Literal["day", "month"]

_SHAPES: dict[Span, tuple[int, int]] = {"day": (24, 1), "month": (30, 24)}
"""How many points each span has, and how many hours make one."""


async def trends(process: Process, project: str, span: Span) -> list[Trend]:
    """Count the builds of the last 24 hours by hour or of the last 30 days by day (UTC), oldest first.

    Raises:
        Unavailable: Redis is away.
    """
    points, hours = _SHAPES[span]
    last = int(time.time()) // HOUR // hours
    first = (last - points + 1) * hours
    async with reaching_redis():
        counted = await process.trends.read(project, range(first, (last + 1) * hours))
    return [total(counted[at : at + hours]) for at in range(0, len(counted), hours)]


def total(parts: list[Trend]) -> Trend:
    """Add up neighbouring spans, of which there is at least one."""
    whole = Trend(parts[0].start)
    for part in parts:
        whole.add(part)
    return whole
