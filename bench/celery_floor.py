"""The least that a task costs: Celery with Shipway's settings and a task that only says when it started."""

from __future__ import annotations

import os
import time
from functools import cache

from celery import Celery
from redis import Redis

from shipway.queue import celery_app

URL = "BENCH_FLOOR_REDIS"
"""Environment variable that tells the worker where Redis is."""
QUEUE = "bench-floor"
ANSWERS = "bench:floor:started"
"""Redis list of the times (seconds since the epoch) at which tasks started."""
_TASK = "bench.started"


@cache
def _sender(url: str) -> Celery:
    return celery_app(url)


def send(url: str) -> None:
    """Enqueue the task."""
    _sender(url).send_task(_TASK, queue=QUEUE)


@cache
def _redis() -> Redis:
    return Redis.from_url(os.environ[URL])


def started() -> None:
    """Say when this began."""
    now = time.time()
    _redis().rpush(ANSWERS, repr(now))


app = celery_app(os.environ.get(URL, ""))
app.task(name=_TASK)(started)
