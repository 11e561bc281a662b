"""A build that prints 200,000 lines: `shipway build` against `docker build`, both with `--progress plain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from bench.lab import SHIPWAY, Lab, run, say
from bench.report import Row
from deploy.local import base_image
from deploy.local.processes import PartError

LINES, QUICK_LINES = 200_000, 20_000
GOAL = 1.2
SAYING = "of what this step has to say, as a compiler may"
NO_CLIPPING = (("BUILDKIT_STEP_LOG_MAX_SIZE", str(10**9)), ("BUILDKIT_STEP_LOG_MAX_SPEED", str(10**9)))
"""Environment of a daemon that passes on all that steps write; by default BuildKit leaves out most of so much."""


def measure(lab: Lab) -> Iterator[Row]:
    """One loud step, run anew each time.

    Engine 20.10 is left out: near the end of so much its daemon goes on sending empty reports for many minutes.
    Docker's own command did not end in two minutes there.
    """
    if lab.dockerd.api.version().startswith("20.10."):
        say("logs: left out, for Engine 20.10 takes many minutes with so much, whoever asks; set SHIPWAY_ENGINE=28")
        return
    lines = QUICK_LINES if lab.quick else LINES
    say(f"logs: a build with {lines:,} lines of output")
    root = lab.folder / "loud"
    root.mkdir()
    script = f"""awk 'BEGIN {{ for (i = 1; i <= {lines}; i++) print "line " i " {SAYING}" }}'"""
    (root / "Dockerfile").write_text(f"FROM {base_image.REFERENCE}\nARG TIME\nRUN {script}\n")
    times = count()

    def printed(command: Sequence[str], env: Mapping[str, str]) -> float:
        seconds, told = run([*command, str(root), "--progress", "plain", "--build-arg", f"TIME={next(times)}"], env)
        if (shown := told.count(f"{SAYING}\n")) != lines:
            raise PartError(f"`{command[0]}` showed {shown:,} of {lines:,} lines")
        return seconds

    samples = lab.alternating(
        {
            "shipway": lambda: printed([SHIPWAY, "build", "-t", "loud:bench"], lab.shipway_env),
            "docker": lambda: printed([lab.docker, "build", "-t", "loud:bench"], lab.docker_env),
        }
    )
    yield Row(f"{lines:,} log lines", "docker buildkit", samples["shipway"], samples["docker"], GOAL)
