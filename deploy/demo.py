"""`make demo`: build, push, pull, run and build again, on a private Redis, registry, daemon, service and worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import base_image
from deploy.local.engine import REPOSITORY, engine
from deploy.local.processes import PartError
from deploy.local.signals import Stopped, raise_on_signals
from deploy.local.stack import Plan, Stack

EXAMPLE = REPOSITORY / "examples" / "hello"
LIMIT = 120
"""Seconds that one command of the client may take."""


@dataclass(frozen=True)
class Build:
    """One finished build: the job's record, and how long the whole command took (seconds)."""

    job: dict[str, Any]
    seconds: float

    @property
    def digest(self) -> str:
        return str(self.job["result"]["pushed"][0]["digest"])

    @property
    def executed(self) -> list[str]:
        """Names of the steps that ran, without base images: resolving those is a step that is never cached."""
        steps = [step["name"] for step in self.job["steps"] if not step["internal"] and step["status"] != "cached"]
        return [name for name in steps if " FROM " not in name]

    @property
    def hit_ratio(self) -> float:
        return float(self.job["cache_hit_ratio"] or 0)


def demo() -> int:
    """Show everything once; return the exit code."""
    raise_on_signals()
    with tempfile.TemporaryDirectory(prefix="shipway-demo-") as folder:
        try:
            _say("starting Redis, registry, dockerd, service and worker, all private")
            started = time.monotonic()
            plan = Plan(Path(folder) / "state", engine=engine(os.environ.get("SHIPWAY_ENGINE", "")))
            with Stack(plan) as stack:
                _print(f"up after {time.monotonic() - started:.1f} s at {stack.service.url}")
                _show(stack, Path(folder))
                _say("stopping everything")
        except PartError as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
        except Stopped:
            return 130  # as after Ctrl-C
    _say("done")
    return 0


def _show(stack: Stack, folder: Path) -> None:
    if stack.dockerd is None or stack.registry is None:
        raise PartError("the demo needs its own daemon and registry")
    _say(f"making the base image {base_image.REFERENCE} of busybox, since no hub is needed")
    _print(base_image.make(stack.dockerd.api))

    name = f"{stack.registry.address}/hello:1"
    _say(f"first build: API, queue, worker, dockerd, and a push to {stack.registry.address}")
    first = _build(stack, name, folder)
    _report(first)

    _say("pulling the pushed image from the registry, and running it")
    _docker(stack, "image", "rm", "--force", name)
    _docker(stack, "pull", name)
    _print(_docker(stack, "run", "--rm", "--network=none", name))

    _say("second build of the same: its steps come from the cache")
    second = _build(stack, name, folder)
    _report(second)

    _say("result")
    _print(f"first   {first.seconds:5.1f} s   cache hits {first.hit_ratio:4.0%}")
    _print(f"second  {second.seconds:5.1f} s   cache hits {second.hit_ratio:4.0%}")
    _print(f"digest  {second.digest}")
    if second.executed or second.digest != first.digest:
        raise PartError(f"the second build was not the first one from the cache: it executed {second.executed}")


def _build(stack: Stack, name: str, folder: Path) -> Build:
    metadata = folder / "metadata.json"
    options = ["--build-arg", f"BASE={base_image.REFERENCE}", "--push", "--progress", "plain"]
    started = time.monotonic()
    _shipway(stack, "build", str(EXAMPLE), "-t", name, *options, "--metadata-file", str(metadata))
    seconds = time.monotonic() - started
    job_id = json.loads(metadata.read_text())["id"]
    return Build(json.loads(_shipway(stack, "show", job_id, "--json", capture=True)), seconds)


def _report(build: Build) -> None:
    for step in build.job["steps"]:
        if not step["internal"]:
            took = (step["completed"] or 0) - (step["started"] or step["completed"] or 0)
            _print(f"{step['status']:<9} {took:5.1f} s  {step['name']}")
    phases = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in build.job["timings"]["phases"].items())
    _print(f"job {build.job['id']} {build.job['state']} on {build.job['worker']}: {phases}")
    _print(f"cache hit ratio {build.hit_ratio:.0%}, digest {build.digest}")


def _shipway(stack: Stack, *arguments: str, capture: bool = False) -> str:
    """Run the command line client, as a user would; raise PartError if it fails."""
    command = [str(Path(sys.executable).with_name("shipway")), *arguments]
    _print("$ shipway " + " ".join(arguments))
    environment = {**os.environ, "SHIPWAY_URL": stack.service.url, "SHIPWAY_TOKEN": stack.token}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE if capture else None,
            stderr=None if capture else subprocess.STDOUT,  # progress, in its place among the demo's own lines
            text=True,
            check=False,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        worker = next(iter(stack.workers.values()))
        raise PartError(worker.child.report(f"did not end the job of `shipway {arguments[0]}` in {LIMIT} s")) from None
    if done.returncode != 0:
        raise PartError(f"`shipway {arguments[0]}` ended with exit code {done.returncode}")
    return done.stdout or ""


def _docker(stack: Stack, *arguments: str) -> str:
    if stack.dockerd is None:
        raise PartError("no daemon")
    done = stack.dockerd.docker(*arguments)
    if done.returncode != 0:
        raise PartError(f"`docker {arguments[0]}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _say(what: str) -> None:
    print(f"\n==> {what}", flush=True)


def _print(text: str) -> None:
    print("\n".join(f"    {line}" for line in text.splitlines()), flush=True)


if __name__ == "__main__":
    sys.exit(demo())
