"""How long an idle worker takes from the submission of a build to its first step, beside Celery's own delay.

BuildKit has work of its own before its first step, whoever asks for the build; what it comes to is measured, too.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redis import Redis

from bench import celery_floor
from bench.bare_build import until_first_step
from bench.jobs import Api
from bench.lab import Lab, say
from bench.report import Row, Score
from bench.workloads import SMALL, Tree
from deploy.local.engine import REPOSITORY
from deploy.local.processes import Child, PartError
from workers.engine import Engine

if TYPE_CHECKING:
    from shipway.models.job import Job

GOAL = 0.015
"""Seconds that Shipway may take more than Celery does."""
ROUNDS = 20


def measure(lab: Lab) -> Iterator[Row]:
    """All delays, on one Redis and one daemon, one after the other, again and again."""
    say("latency: submission to first step, against Celery's enqueue to start")
    tree = Tree(lab.folder / "tree", SMALL)
    tree.renew()
    with Api(lab.stack.service.url, lab.stack.token) as api, _floor(lab) as redis, _bare(lab) as bare:
        digest = api.upload_context(tree.root)
        claims, steps, floors, alone = [], [], [], []
        for number in range(-2, ROUNDS):  # the first ones warm caches and pools
            submitted, job = _build(api, digest, number)
            floor, daemon = _celery(redis, lab), bare(tree, number)
            if number >= 0:
                claims.append((job.timings.started or 0) - submitted)
                steps.append(min(step.started for step in job.steps if step.started) - submitted)
                floors.append(floor)
                alone.append(floor + daemon)
    yield Row("submitted, until claimed", "celery", claims, floors, GOAL, Score.DIFFERENCE)
    yield Row("submitted, until first step starts", "celery", steps, floors, GOAL, Score.DIFFERENCE)
    yield Row("submitted, until first step starts", "celery, daemon alone", steps, alone, GOAL, Score.DIFFERENCE)


def _build(api: Api, digest: str, number: int) -> tuple[float, Job]:
    """Build with a label of its own: the same build again would be answered without a step."""
    submitted = time.time()
    body = {"context": digest, "tags": ["latency:bench"], "labels": {"round": str(number)}}
    job_id = api.submit("/v1/builds", body)
    return submitted, api.finished(job_id)


def _celery(redis: Redis, lab: Lab) -> float:
    sent = time.time()
    celery_floor.send(lab.stack.redis.url)
    return _answer(redis) - sent


def _answer(redis: Redis) -> float:
    answer = redis.blpop([celery_floor.ANSWERS], timeout=60)
    if not isinstance(answer, list | tuple):
        raise PartError("the bare Celery worker does not answer")
    return float(answer[1])


@contextmanager
def _bare(lab: Lab) -> Iterator[Callable[[Tree, int], float]]:
    """Ask the daemon for builds with nothing around them; yields what does, and tells how long its first step took."""
    with asyncio.Runner() as runner:
        engine = runner.run(Engine(lab.dockerd.host).__aenter__())
        try:
            yield lambda tree, number: runner.run(until_first_step(engine, tree.root, number))
        finally:
            runner.run(engine.__aexit__(None, None, None))


@contextmanager
def _floor(lab: Lab) -> Iterator[Redis]:
    """Run a bare Celery worker on the stack's Redis, with Shipway's settings and a task that does nothing."""
    url = lab.stack.redis.url
    command = [
        *(sys.executable, "-m", "celery", "--app", "bench.celery_floor", "worker"),
        *("--pool", "prefork", "--concurrency", "2", "--queues", celery_floor.QUEUE, "--loglevel", "WARNING"),
        *("--hostname", "floor@bench", "--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    env = {**os.environ, celery_floor.URL: url}
    child = Child("celery", command, log=lab.folder / "celery.log", env=env, cwd=REPOSITORY)
    with Redis.from_url(url, decode_responses=True, socket_timeout=90) as redis:
        child.start(lambda: True)
        try:
            celery_floor.send(url)
            _answer(redis)
            yield redis
        finally:
            child.stop()
            redis.delete(celery_floor.ANSWERS)
