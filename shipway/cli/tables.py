"""Tables, JSON and times, as all commands that list things print them."""

from __future__ import annotations

import json
import time
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDE = 240
"""Columns of a table that goes to a file or a pipe: nothing is cut off there."""
_UNITS = (("year", 31_536_000), ("month", 2_592_000), ("week", 604_800), ("day", 86_400), ("hour", 3600))


def console() -> Console:
    """Standard output; as wide as it takes when it is no terminal."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=_WIDE)


def table(*columns: str, folding: str = "NAMES") -> Table:
    """An empty table without lines; the column `folding` may take several lines."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, no_wrap=column != folding, overflow="fold")
    return made


def print_json(value: Any) -> None:
    """Print a value for people and programs alike."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def ago(moment: float) -> str:
    """How long a moment (seconds since the epoch) is past, in Docker's words: `3 days ago`."""
    if moment <= 0:
        return "N/A"
    past = max(0.0, time.time() - moment)
    for unit, size in (*_UNITS, ("minute", 60), ("second", 1)):
        count = int(past // size)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "now"
