"""What a worker's main process does beside the pool: says that it lives, reaps, serves its metrics."""

from __future__ import annotations

import asyncio
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shipway.exceptions import BuildSystemError
from shipway.models.worker import Worker, WorkerState
from shipway.queue import Queue
from shipway.storage.jobs import JobStore
from shipway.storage.redis import connect
from shipway.storage.workers import HEARTBEAT, WorkerRegistry
from workers import metrics, shutdown
from workers.engine import DaemonDescription, Engine
from workers.reaper import reap
from workers.settings import WorkerSettings

log = structlog.get_logger(__name__)

_state = {"problem": "not looked yet"}


def start(settings: WorkerSettings) -> None:
    """Start the attendant's threads; they end with the process."""
    metrics.CAPACITY.set(settings.worker_concurrency)
    server = ThreadingHTTPServer((settings.worker_host, settings.worker_port), _Pages)
    threading.Thread(target=server.serve_forever, name="pages", daemon=True).start()
    threading.Thread(target=lambda: asyncio.run(_attend(settings)), name="attendant", daemon=True).start()


async def _attend(settings: WorkerSettings) -> None:
    redis = connect(settings.redis_url)
    workers = WorkerRegistry(redis)
    reaping = asyncio.create_task(
        reap(settings.worker_name, JobStore(redis, settings), workers, Queue(settings.redis_url))
    )
    while not reaping.done():
        daemon = await _look(settings)
        try:
            await workers.announce(await _describe(redis, settings, daemon))
        except (RedisError, OSError) as fault:
            log.warning("can't reach Redis to say that this worker lives", fault=repr(fault))
        await asyncio.sleep(HEARTBEAT)
    reaping.result()


async def _look(settings: WorkerSettings) -> DaemonDescription | None:
    try:
        async with asyncio.timeout(HEARTBEAT), Engine(settings.docker_host) as engine:
            daemon = await engine.describe()
    except (BuildSystemError, TimeoutError) as fault:
        _state["problem"] = f"the Docker daemon does not answer: {fault}"
        metrics.DAEMON_UP.set(0)
        return None
    _state["problem"] = ""
    metrics.DAEMON_UP.set(1)
    _measure_disk(daemon.data_root)
    return daemon


def _measure_disk(path: str) -> None:
    try:
        disk = os.statvfs(path)
    except OSError:  # the daemon's disk can't be seen from here, as in a container
        return
    metrics.DAEMON_DISK_FREE.set(disk.f_bavail * disk.f_frsize)
    metrics.DAEMON_DISK_SIZE.set(disk.f_blocks * disk.f_frsize)


async def _describe(redis: Redis, settings: WorkerSettings, daemon: DaemonDescription | None) -> Worker:
    seconds, micros = await redis.time()
    state = WorkerState.READY if daemon else WorkerState.UNHEALTHY
    return Worker(
        name=settings.worker_name,
        state=WorkerState.DRAINING if shutdown.stopping() else state,
        problem=_state["problem"] or None,
        capacity=settings.worker_concurrency,
        last_seen=seconds + micros / 1e6,
        daemon_version=daemon and daemon.version,
        api_version=daemon and daemon.api_version,
        os=daemon and daemon.os,
        architecture=daemon and daemon.architecture,
        platform=daemon and f"{daemon.os}/{daemon.architecture}",
    )


class _Pages(BaseHTTPRequestHandler):
    """`/metrics`, `/healthz` and `/readyz` of a worker."""

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, metrics.render(), CONTENT_TYPE_LATEST)
        elif self.path == "/healthz":
            self._answer(200, b"ok\n")
        elif self.path == "/readyz":
            problem = _state["problem"] or ("stopping" if shutdown.stopping() else "")
            self._answer(503 if problem else 200, (problem or "ok").encode() + b"\n")
        else:
            self._answer(404, b"no such page\n")

    def _answer(self, status: int, body: bytes, media_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of each scrape."""
