"""Times, sizes and shares as people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

NONE = "\N{EN DASH}"
"""What is shown where there is no figure."""
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def seconds(value: float | None) -> str:
    """A duration: `0.4 s`, `12 s`, `3 m 05 s`, `1 h 02 m`; a dash when there is none."""
    if value is None:
        return NONE
    value = max(0.0, value)
    if value < 9.95:  # noqa: PLR2004 - from here on tenths say nothing
        return f"{value:.1f} s"
    whole = round(value)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} m {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} m"


def size(value: float | None) -> str:
    """Bytes in decimal units, as Docker shows them."""
    if value is None:
        return NONE
    unit = 0
    while value >= 999.5 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - would be shown as 1000
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_UNITS[unit]}"


def share(value: float | None) -> str:
    """A share of one in per cent."""
    return NONE if value is None else f"{value:.0%}"


def number(value: float | None) -> str:
    """A whole number."""
    return NONE if value is None else f"{value:.0f}"


def ago(moment: float) -> str:
    """How long ago something happened."""
    past = max(0, int(time.time() - moment))
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if past >= length:
            return f"{past // length} {unit} ago"
    return "just now"


def iso(moment: float) -> str:
    """A time for machines, such as the script that shows it in the reader's time zone."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def clock(moment: float) -> str:
    """A time of day with its date, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%d %b, %H:%M:%S UTC")
