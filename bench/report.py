"""What was measured, as a table for people and as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

_HEAD = ("workload", "Shipway", "peer", "", "score", "goal", "")
_MIB = 2**20


class Unit(StrEnum):
    """What samples count."""

    SECONDS = "s"
    BYTES = "B"
    SHARE = "share"


class Score(StrEnum):
    """What is held against the goal; lower is better in each but one."""

    RATIO = "ratio"
    """Shipway's median divided by the peer's."""
    AT_LEAST = "at least"
    """The same, but higher is better."""
    DIFFERENCE = "difference"
    """Shipway's median less the peer's."""
    VALUE = "value"
    """Shipway's median itself: there is no peer."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    Attributes:
        name: the workload and what was done with it.
        peer: whom Shipway is compared with; empty if with nobody.
        ours: Shipway's samples.
        theirs: the peer's samples.
        goal: the score that is still `ok`.
        score_by: how the score comes about.
        unit: of the samples.
    """

    name: str
    peer: str
    ours: Sequence[float]
    theirs: Sequence[float]
    goal: float
    score_by: Score = Score.RATIO
    unit: Unit = Unit.SECONDS

    @property
    def score(self) -> float:
        """By medians."""
        if self.score_by is Score.VALUE:
            return median(self.ours)
        if self.score_by is Score.DIFFERENCE:
            return median(self.ours) - median(self.theirs)
        return median(self.ours) / median(self.theirs)

    @property
    def verdict(self) -> str:
        """`ok` or `miss`."""
        reached = self.score >= self.goal if self.score_by is Score.AT_LEAST else self.score <= self.goal
        return "ok" if reached else "miss"

    def cells(self) -> tuple[str, ...]:
        """Return the row as the table shows it."""
        ratio = self.score_by in (Score.RATIO, Score.AT_LEAST)
        bound = "≥" if self.score_by is Score.AT_LEAST else "≤"
        return (
            self.name,
            _shown(median(self.ours), self.unit),
            self.peer,
            _shown(median(self.theirs), self.unit) if self.theirs else "",
            f"{self.score:.2f}" if ratio else _shown(self.score, self.unit),
            f"{bound} {self.goal:.2f}" if ratio else f"{bound} {_shown(self.goal, self.unit)}",
            self.verdict,
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything, every sample included."""
        return {
            "name": self.name,
            "peer": self.peer,
            "unit": self.unit,
            "shipway": list(self.ours),
            "theirs": list(self.theirs),
            "score_by": self.score_by,
            "score": self.score,
            "goal": self.goal,
            "verdict": self.verdict,
        }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _redis() -> str:
    told = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=False).stdout
    return next((word[2:] for word in told.split() if word.startswith("v=")), "?")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and with what it was measured."""

    engine: str
    cpu: str = field(default_factory=_cpu)
    cores: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    memory: int = field(default_factory=lambda: os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    kernel: str = field(default_factory=platform.release)
    python: str = field(default_factory=platform.python_version)
    redis: str = field(default_factory=_redis)
    packages: dict[str, str] = field(
        default_factory=lambda: {name: version(name) for name in ("shipway", "celery", "aiodocker", "grpclib")}
    )

    def lines(self) -> list[str]:
        """Return it in two lines."""
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return [
            f"{self.cpu}, {self.cores} cores, {self.memory / 2**30:.0f} GiB, Linux {self.kernel}",
            f"Docker Engine {self.engine}, Redis {self.redis}, Python {self.python}, {packages}",
        ]

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {name: getattr(self, name) for name in self.__slots__}


def table(rows: Iterable[Row]) -> str:
    """Draw the table; every row ends in `ok` or `miss`."""
    cells = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    texts = (0, 2, 6)  # names to the left, numbers to the right

    def drawn(line: Sequence[str]) -> str:
        parts = [
            cell.ljust(width) if column in texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(parts).rstrip()

    return "\n".join([drawn(cells[0]), "  ".join("-" * width for width in widths), *map(drawn, cells[1:])])


def write(file: Path, machine: Machine, rows: Sequence[Row], rounds: int) -> None:
    """Write everything as JSON."""
    told = {"machine": machine.as_json(), "rounds": rounds, "rows": [row.as_json() for row in rows]}
    file.write_text(json.dumps(told, indent=2) + "\n")


def _shown(number: float, unit: Unit) -> str:
    if unit is Unit.SHARE:
        return f"{number:.3f}"
    if unit is Unit.BYTES:
        return f"{number / _MIB:.2f} MiB"
    return f"{number:.2f} s" if abs(number) >= 1 else f"{number * 1000:.1f} ms"
