"""What placement is worth: the cache hit ratio of forty commits over three workers, and of a worker that is cold."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.lab import Lab, say
from bench.project import COMMITS, Project
from bench.report import Row, Score, Unit
from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from deploy.local.processes import PartError
from shipway.client import Client
from shipway.models.event import StepStatus
from shipway.models.job import Job, JobState, counted_steps

REPLAY_GOAL = 0.95
COLD_GOAL = 0.9
QUICK_COMMITS = 10
LONGEST_BURST = 3
"""Commits that are pushed at once, at most: a worker has two slots."""

Choice = Callable[[int], str | None]
"""The worker of the n-th build; None leaves it to Shipway."""


def measure(lab: Lab) -> Iterator[Row]:
    """Replay the commits on one worker and on three, then build on a worker what another one pushed."""
    first = next(iter(lab.stack.workers))
    with Client(lab.stack.service.url, token=lab.stack.token) as client:
        replay = _Replay(lab, client)
        alone = replay.run("one", lambda _: first)
        with _more_workers(lab, 2) as others:
            names = [first, *others]
            placed = replay.run("three", lambda _: None)
            in_turn = replay.run("turn", lambda number: names[number % len(names)])
            name = f"replay of {replay.commits} commits, 3 workers"
            yield _row(name, "1 worker", placed, alone, REPLAY_GOAL)
            yield _row(name, "round robin", placed, in_turn, 1.0)
            cold, warm = replay.cold(first, others[0])
            yield _row("cold worker, built before on another", "warm worker", cold, warm, COLD_GOAL)


class _Replay:
    def __init__(self, lab: Lab, client: Client) -> None:
        self._lab = lab
        self._client = client
        self.commits = QUICK_COMMITS if lab.quick else COMMITS

    def run(self, salt: str, choice: Choice) -> float:
        """Build every commit, some at once; returns which part of all steps was cached."""
        project = Project(self._lab.folder / "project", salt)
        chance = random.Random("bursts")
        done: list[Job] = []
        while len(done) < self.commits:
            burst = min(chance.randint(1, LONGEST_BURST), self.commits - len(done))
            started = [self._commit(project, salt, choice(len(done) + number)) for number in range(burst)]
            done += [self._finished(job_id) for job_id in started]
        regret = sum(job.result.regret for job in done)
        workers = ", ".join(sorted({job.worker or "?" for job in done}))
        say(f"replay: {salt}: {_hits(done):.3f} cached, {regret} steps of regret, on {workers}")
        return _hits(done)

    def cold(self, first: str, second: str) -> tuple[float, float]:
        """Build and push on one worker, then build the same on another one, and again on the first."""
        root = Project(self._lab.folder / "project", "cold").root
        hits = []
        for number, worker in enumerate((first, second, first)):
            tag = f"{self._lab.registry.address}/cold:{number}"
            # The label asks for another image of the same steps: nothing is answered by an earlier result.
            job = self._client.build(root, tags=[tag], push=True, worker=worker, labels={"number": str(number)})
            hits.append(_hits([self._finished(job.id)]))
        return hits[1], hits[2]

    def _commit(self, project: Project, salt: str, worker: str | None) -> str:
        project.commit()
        return self._client.build(project.root, tags=[f"replay/{salt}"], worker=worker).id

    def _finished(self, job_id: str) -> Job:
        job = self._client.wait(job_id)
        if job.state is not JobState.SUCCEEDED:
            raise PartError(f"build {job_id} {job.state}: {job.error.message if job.error else ''}")
        return job


@contextmanager
def _more_workers(lab: Lab, count: int) -> Iterator[list[str]]:
    """Start workers, each on a daemon of its own, and stop them at the end."""
    with ExitStack() as exit_stack:
        names = [f"more-{number}" for number in range(1, count + 1)]
        for name in names:
            daemon = exit_stack.enter_context(_daemon(lab, lab.folder / name))
            worker = lab.stack.add_worker(name, docker_host=daemon.host)
            exit_stack.callback(worker.stop)
        yield names


@contextmanager
def _daemon(lab: Lab, folder: Path) -> Iterator[Dockerd]:
    with Dockerd(folder, engine=lab.dockerd.engine) as daemon:
        base_image.make(daemon.api)
        yield daemon


def _hits(jobs: list[Job]) -> float:
    steps = [step for job in jobs for step in counted_steps(job.steps)]
    return sum(step.status is StepStatus.CACHED for step in steps) / len(steps)


def _row(name: str, peer: str, ours: float, theirs: float, goal: float) -> Row:
    return Row(f"{name}, steps cached", peer, [ours], [theirs], goal, Score.AT_LEAST, Unit.SHARE)
