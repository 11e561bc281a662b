"""Every fault the random driver knows: how it is made, and (after a while) undone."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx
from pydantic import TypeAdapter
from redis.exceptions import RedisError

from deploy.local.processes import Child
from shipway.models.job import Job
from shipway.queue import Queue
from tests.chaos.fleet import NAMES, Fleet
from tests.integration.http_api import HttpApi
from tests.support.tcp_proxy import TcpProxy

JOBS = TypeAdapter(list[Job])
Fault = Callable[[Fleet, random.Random, float], None]
"""Does its harm to a fleet, keeps it up for some seconds, and undoes it."""


@dataclass(frozen=True)
class Kind:
    """A fault by its name, as the table of results has it."""

    name: str
    make: Fault


def _frozen(child: Child, duration: float) -> None:
    pids = [child.pid]
    _signalled(pids, signal.SIGSTOP)
    try:
        time.sleep(duration)
    finally:
        _signalled(pids, signal.SIGCONT)


def _signalled(pids: Iterable[int], number: signal.Signals) -> None:
    """Another fault may have ended some of them meanwhile."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_worker(fleet: Fleet, rng: random.Random, duration: float) -> None:
    worker = fleet.workers[rng.choice(NAMES)]
    worker.child.kill()
    time.sleep(duration)
    _again(worker.start)


def kill_pool(fleet: Fleet, rng: random.Random, duration: float) -> None:
    _signalled(fleet.pool(rng.choice(NAMES)), signal.SIGKILL)
    time.sleep(duration)


def stop_worker(fleet: Fleet, rng: random.Random, duration: float) -> None:
    worker = fleet.workers[rng.choice(NAMES)]
    worker.child.stop(grace=30)
    time.sleep(duration)
    _again(worker.start)


def freeze_worker(fleet: Fleet, rng: random.Random, duration: float) -> None:
    name = rng.choice(NAMES)
    pids = [fleet.workers[name].child.pid, *fleet.pool(name)]
    _signalled(pids, signal.SIGSTOP)
    try:
        time.sleep(duration)
    finally:
        _signalled(pids, signal.SIGCONT)


def kill_daemon(fleet: Fleet, rng: random.Random, duration: float) -> None:
    daemon = fleet.daemons[rng.choice(NAMES)]
    daemon.kill()
    time.sleep(duration)
    _again(daemon.start)


def stop_daemon(fleet: Fleet, rng: random.Random, duration: float) -> None:
    daemon = fleet.daemons[rng.choice(NAMES)]
    daemon.child.stop(grace=30)
    time.sleep(duration)
    _again(daemon.start)


def freeze_daemon(fleet: Fleet, rng: random.Random, duration: float) -> None:
    _frozen(fleet.daemons[rng.choice(NAMES)].child, duration)


def kill_redis(fleet: Fleet, rng: random.Random, duration: float) -> None:
    fleet.redis.child.kill()
    time.sleep(duration)
    fleet.redis.start()


def freeze_redis(fleet: Fleet, rng: random.Random, duration: float) -> None:
    _frozen(fleet.redis.child, duration)


def kill_service(fleet: Fleet, rng: random.Random, duration: float) -> None:
    service = rng.choice(fleet.services)
    service.child.kill()
    time.sleep(duration)
    _again(service.start)


def freeze_service(fleet: Fleet, rng: random.Random, duration: float) -> None:
    _frozen(rng.choice(fleet.services).child, duration)


def kill_registry(fleet: Fleet, rng: random.Random, duration: float) -> None:
    fleet.registry.child.kill()
    time.sleep(duration)
    fleet.registry.start()


def drop_messages(fleet: Fleet, rng: random.Random, duration: float) -> None:
    deadline = time.monotonic() + duration
    while time.monotonic() < deadline:
        with suppress(RedisError), fleet.records() as redis:
            for key in redis.scan_iter("shipway*", _type="list"):
                redis.delete(key)
        time.sleep(0.05)


def double_messages(fleet: Fleet, rng: random.Random, duration: float) -> None:
    queue = Queue(fleet.redis.url)
    try:
        with suppress(httpx.HTTPError, AssertionError), HttpApi(fleet.api.url, fleet.api.token) as api:
            for job in JOBS.validate_python(api.http.get("/v1/jobs", timeout=5).raise_for_status().json()["jobs"]):
                asyncio.run(queue.enqueue(job))
    finally:
        queue.close()
    time.sleep(duration)


def _on_link(harm: Callable[[TcpProxy, random.Random], None], link: str) -> Fault:
    def make(fleet: Fleet, rng: random.Random, duration: float) -> None:
        name = rng.choice(NAMES) if link == "worker" else link
        with _restored(fleet.to_registry if link == "registry" else fleet.to_redis[name]) as proxy:
            harm(proxy, rng)
            time.sleep(duration)

    return make


@contextmanager
def _restored(proxy: TcpProxy) -> Iterator[TcpProxy]:
    try:
        yield proxy
    finally:
        proxy.restore()


def _again(start: Callable[[], None], tries: int = 3) -> None:
    """Start a part; when another fault hits it while it starts, try again as its supervisor would."""
    for left in reversed(range(tries)):
        try:
            return start()
        except RuntimeError:
            if not left:
                raise
    return None


def _cut(proxy: TcpProxy, _: random.Random) -> None:
    proxy.cut()


def _freeze(proxy: TcpProxy, _: random.Random) -> None:
    proxy.freeze()


def _slow(proxy: TcpProxy, rng: random.Random) -> None:
    proxy.slow(rng.choice([20_000, 100_000, 500_000]))


KINDS = (
    Kind("worker SIGKILL", kill_worker),
    Kind("worker's pool SIGKILL", kill_pool),
    Kind("worker SIGTERM", stop_worker),
    Kind("worker SIGSTOP", freeze_worker),
    Kind("dockerd SIGKILL", kill_daemon),
    Kind("dockerd SIGTERM", stop_daemon),
    Kind("dockerd SIGSTOP", freeze_daemon),
    Kind("Redis SIGKILL", kill_redis),
    Kind("Redis SIGSTOP", freeze_redis),
    Kind("service SIGKILL", kill_service),
    Kind("service SIGSTOP", freeze_service),
    Kind("registry SIGKILL", kill_registry),
    Kind("messages dropped", drop_messages),
    Kind("messages doubled", double_messages),
    *(
        Kind(f"link {link} {verb}", _on_link(harm, link.rpartition("-")[0] or link))
        for link in ("worker-Redis", "service-Redis", "registry")
        for verb, harm in (("cut", _cut), ("frozen", _freeze), ("slow", _slow))
    ),
)
