"""Writes what the random driver saw as a table."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.driver import JOBS, Round
from tests.chaos.fleet import LEASE


def write(path: Path, seed: int, rounds: Sequence[Round]) -> None:
    """Write the table; what was written before goes."""
    path.write_text("\n".join([*_head(seed, rounds), *map(_row, rounds), *_violations(rounds)]) + "\n")


def _head(seed: int, rounds: Sequence[Round]) -> list[str]:
    outcomes: Counter[str] = sum((done.outcomes for done in rounds), Counter())
    engine = subprocess.run(["/usr/sbin/dockerd", "--version"], capture_output=True, text=True, check=False).stdout
    jobs, broken = sum(outcomes.values()), sum(len(done.violations) for done in rounds)
    attempts, faults = sum(done.attempts for done in rounds), sum(len(done.faults) for done in rounds)
    return [
        "# Random faults under load: results",
        "",
        f"Written by `make chaos ROUNDS={len(rounds)} SEED={seed}` (`tests/chaos/driver.py`): two workers with a",
        "daemon each, two replicas of the service, Redis with its append-only file, a registry;",
        f"{JOBS} builds a round, a lease of {LEASE:g} s.",
        f"Machine: {os.cpu_count()} cores, Linux {platform.release()}, {engine.strip()}.",
        "",
        f"**{len(rounds)} rounds, {jobs} builds, {attempts} attempts, {faults} faults, {broken} violations.**",
        f"Ended as: {_counted(outcomes)}.",
        "",
        "| round | faults | builds ended as | attempts | seconds | violations |",
        "| --- | --- | --- | --- | --- | --- |",
    ]


def _row(done: Round) -> str:
    faults = ", ".join(done.faults)
    return (
        f"| {done.number} | {faults} | {_counted(done.outcomes)} | {done.attempts} | {done.seconds:.0f} "
        f"| {len(done.violations)} |"
    )


def _counted(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in outcomes.most_common())


def _violations(rounds: Sequence[Round]) -> list[str]:
    found = [f"- round {done.number}: {violation}" for done in rounds for violation in done.violations]
    return ["", "## Violations", "", *found] if found else []
