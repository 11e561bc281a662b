"""`python -m tests.chaos --rounds N --seed S`: the random driver's long run; docs/chaos-results.md gets its table."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from tests.chaos import results
from tests.chaos.driver import Driver, Round
from tests.chaos.fleet import NAMES, Fleet

TABLE = Path(__file__).parents[2] / "docs" / "chaos-results.md"


def main() -> int:
    """Run, print each round as it ends, write the table; the exit code tells whether an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--keep", type=Path, help="folder for the state and the logs; a temporary one if not given")
    wanted = parser.parse_args()
    rounds: list[Round] = []
    with ExitStack() as stack:
        state = wanted.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shipway-chaos-")))
        daemons = {name: stack.enter_context(Dockerd(state / f"dockerd-{name}")) for name in NAMES}
        for daemon in daemons.values():
            base_image.make(daemon.api)
        driver = Driver(stack.enter_context(Fleet(state / "fleet", daemons)), wanted.seed)
        for number in range(1, wanted.rounds + 1):
            done = driver.round(number)
            rounds.append(done)
            print(f"{number}: {done.seconds:.0f} s, {', '.join(done.faults)}: {dict(done.outcomes)}", flush=True)  # noqa: T201
            for violation in done.violations:
                print(f"   VIOLATION {violation}", flush=True)  # noqa: T201
            results.write(wanted.table, wanted.seed, rounds)
    return 1 if any(done.violations for done in rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
