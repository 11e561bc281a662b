"""`python -m bench [NAME…] [--json FILE] [--quick]`: measure, and print a table whose rows end in `ok` or `miss`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bench import builds, burst, followers, latency, logs, memory, moves, replay
from bench.lab import Lab, say
from bench.report import Machine, Row, table, write
from deploy.local import base_image
from deploy.local.engine import engine
from deploy.local.processes import PartError
from deploy.local.signals import Stopped, raise_on_signals
from deploy.local.stack import Plan, Stack

SUITES: dict[str, Callable[[Lab], Iterator[Row]]] = {
    "latency": latency.measure,
    "builds": builds.measure,
    "moves": moves.measure,
    "memory": memory.measure,
    "logs": logs.measure,
    "burst": burst.measure,
    "followers": followers.measure,
    "replay": replay.measure,
}
ROUNDS = 5
QUICK_ROUNDS = 2


def main() -> int:
    """Return 0 once everything was measured, whatever came of it; 1 if something could not be measured."""
    wanted = _arguments()
    names = wanted.names or list(SUITES)
    rounds = wanted.rounds or (QUICK_ROUNDS if wanted.quick else ROUNDS)
    raise_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="shipway-bench-") as folder:
            machine, rows = _measured(Path(folder), names, rounds, quick=wanted.quick)
    except Stopped:
        return 1
    except PartError as error:
        say(f"bench: {error}")
        return 1
    print("\n".join([*machine.lines(), f"medians of {rounds} rounds", "", table(rows)]))
    if wanted.json:
        write(wanted.json, machine, rows, rounds)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here, too")
    parser.add_argument("--quick", action="store_true", help="smaller trees and fewer rounds: a trial, not a result")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"how often each is measured (default {ROUNDS})")
    wanted = parser.parse_args()
    for unknown in set(wanted.names) - set(SUITES):
        parser.error(f"there is no benchmark {unknown!r}; there are {', '.join(SUITES)}")
    return wanted


def _measured(folder: Path, names: list[str], rounds: int, *, quick: bool) -> tuple[Machine, list[Row]]:
    talkative = replace(engine(os.environ.get("SHIPWAY_ENGINE", "")), extra=logs.NO_CLIPPING)
    plan = Plan(folder / "state", engine=talkative)
    say("bench: starting Redis, registry, dockerd, service and worker")
    with Stack(plan) as stack:
        lab = Lab(stack, folder, rounds, quick)
        base_image.make(lab.dockerd.api)
        machine = Machine(lab.dockerd.api.version())
        rows: list[Row] = []
        for name in names:
            for row in SUITES[name](lab):
                say("  " + "  ".join(row.cells()))
                rows.append(row)
    return machine, rows


if __name__ == "__main__":
    sys.exit(main())
