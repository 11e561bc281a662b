"""A build that prints 200,000 lines: `shipway build` against `docker build`, both with `--progress plain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from subprocess import TimeoutExpired

from bench.lab import LIMIT, SHIPWAY, Lab, run, say
from bench.report import Row
from deploy.local import base_image
from deploy.local.processes import PartError

LINES, QUICK_LINES = 200_000, 20_000
GOAL = 1.2
SAYING = "of what this step has to say, as a compiler may"
PATIENCE = 120.0
"""Seconds that docker's command has; one that needs longer counts as that long, to its favour.

The client of Engine 20.10 takes many minutes to print so much.
"""
NO_CLIPPING = (("BUILDKIT_STEP_LOG_MAX_SIZE", str(10**9)), ("BUILDKIT_STEP_LOG_MAX_SPEED", str(10**9)))
"""Environment of a daemon that passes on all that steps write; by default BuildKit leaves out most of so much."""


def measure(lab: Lab) -> Iterator[Row]:
    """One loud step, run anew each time."""
    lines = QUICK_LINES if lab.quick else LINES
    say(f"logs: a build with {lines:,} lines of output")
    root = lab.folder / "loud"
    root.mkdir()
    script = f"""awk 'BEGIN {{ for (i = 1; i <= {lines}; i++) print "line " i " {SAYING}" }}'"""
    (root / "Dockerfile").write_text(f"FROM {base_image.REFERENCE}\nARG TIME\nRUN {script}\n")
    times = count()

    def printed(command: Sequence[str], env: Mapping[str, str], limit: float = LIMIT) -> float:
        options = ["--progress", "plain", "--build-arg", f"TIME={next(times)}"]
        seconds, told = run([*command, str(root), *options], env, limit)
        if (shown := told.count(f"{SAYING}\n")) != lines:
            raise PartError(f"`{command[0]}` showed {shown:,} of {lines:,} lines")
        return seconds

    def docker() -> float:
        try:
            return printed([lab.docker, "build", "-t", "loud:bench"], lab.docker_env, PATIENCE)
        except TimeoutExpired:
            say(f"  docker needs more than {PATIENCE:.0f} s; it counts as that long")
            return PATIENCE

    samples = lab.alternating(
        {"shipway": lambda: printed([SHIPWAY, "build", "-t", "loud:bench"], lab.shipway_env), "docker": docker}
    )
    yield Row(f"{lines:,} log lines", "docker buildkit", samples["shipway"], samples["docker"], GOAL)
