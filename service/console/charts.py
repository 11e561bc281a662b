"""The charts of the trends: bars over time, in per cent of their chart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from service.console import figures
from service.logic.trends import Span, total
from shipway.models.trend import Trend

Share = Callable[[Trend], float | None]


@dataclass(frozen=True, slots=True)
class Column:
    """One point in time: where it stands (per cent), how high its bars are (per cent, highest first), its words."""

    left: float
    width: float
    heights: tuple[float, ...]
    told: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns under a top; `now` is the figure of the whole span."""

    title: str
    now: str
    series: tuple[str, ...]
    top: str
    columns: tuple[Column, ...]
    dates: tuple[str, ...]


def charts(trends: list[Trend], span: Span) -> tuple[Chart, ...]:
    """Draw what is known of a project's builds over a span."""
    whole = total(trends)
    return (
        _chart(
            "Build time",
            f"{figures.seconds(whole.build_seconds(0.5))} · p95 {figures.seconds(whole.build_seconds(0.95))}",
            trends,
            span,
            {"p95": lambda t: t.build_seconds(0.95), "p50": lambda t: t.build_seconds(0.5)},
            figures.seconds,
        ),
        _chart(
            "Cache hits",
            figures.share(whole.hit_ratio),
            trends,
            span,
            {"cached steps": lambda t: t.hit_ratio},
            figures.share,
            top=1.0,
        ),
        _chart(
            "Queue wait",
            f"{figures.seconds(whole.queue_seconds(0.5))} · p95 {figures.seconds(whole.queue_seconds(0.95))}",
            trends,
            span,
            {"p95": lambda t: t.queue_seconds(0.95), "p50": lambda t: t.queue_seconds(0.5)},
            figures.seconds,
        ),
        _chart(
            "Context spared",
            figures.size(whole.spared),
            trends,
            span,
            {"not sent": lambda t: t.spared or None},
            figures.size,
        ),
        _chart(
            "Builds",
            f"{whole.builds} · {whole.failed} failed",
            trends,
            span,
            {"all": lambda t: t.builds or None, "failed": lambda t: t.failed or None},
            figures.number,
        ),
    )


def when(trend: Trend, span: Span) -> str:
    """Name a point in time, UTC."""
    start = datetime.fromtimestamp(trend.start, UTC)
    return start.strftime("%H:00" if span == "day" else "%d %b")


def _chart(
    title: str,
    now: str,
    trends: list[Trend],
    span: Span,
    series: dict[str, Share],
    words: Callable[[float | None], str],
    top: float | None = None,
) -> Chart:
    values = [[(name, read(trend)) for name, read in series.items()] for trend in trends]
    top = top or _nice(max((value for row in values for _, value in row if value is not None), default=0))
    width = 100 / len(trends)
    columns = tuple(
        Column(
            left=round(at * width + width * 0.14, 3),
            width=round(width * 0.72, 3),
            heights=tuple(round(min(1.0, (value or 0) / top) * 100, 2) for _, value in row),
            told=f"{when(trend, span)}: " + ", ".join(f"{name} {words(value)}" for name, value in row),
        )
        for at, (trend, row) in enumerate(zip(trends, values, strict=True))
    )
    dates = tuple(when(trends[at], span) for at in (0, len(trends) // 2, -1))
    return Chart(title, now, tuple(series), words(top), columns, dates)


def _nice(value: float) -> float:
    """The next round number that is not smaller: 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
