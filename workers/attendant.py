"""What a worker's main process does beside the pool: looks after its daemon, says how it is, reaps."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable

import structlog
from celery.signals import worker_shutdown
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shipway.egress import Egress
from shipway.exceptions import ShipwayError
from shipway.models.worker import Worker, WorkerState
from shipway.queue import Queue
from shipway.storage.blobs import BlobStore
from shipway.storage.jobs import JobStore
from shipway.storage.redis import connect
from shipway.storage.sealing import Sealer
from shipway.storage.webhooks import WebhookStore
from shipway.storage.workers import HEARTBEAT, WorkerRegistry
from shipway.telemetry import traces
from workers import metrics, pages, shutdown
from workers.disk import DiskKeeper
from workers.engine import DaemonDescription, DiskUsage, Engine
from workers.intake import Consumer, Intake
from workers.inventory import Inventory
from workers.parts import PART
from workers.postman import Postman
from workers.reaper import Reaper
from workers.settings import WorkerSettings
from workers.sweeping import sweep

log = structlog.get_logger(__name__)

STOCK_REST = 20
"""How many times as long as listing all of its images took a daemon is left alone, up to `MAX_REST`."""
MAX_REST = 300.0
"""Seconds."""


def start(settings: WorkerSettings, consumer: Consumer) -> None:
    """Start the attendant's threads; they end with the process, and the worker is off the list then."""
    metrics.CAPACITY.set(settings.worker_concurrency)
    attendant = Attendant(settings, Intake(consumer, settings.queues))
    pages.serve(settings.worker_host, settings.worker_port, attendant.why_not)
    thread = threading.Thread(target=lambda: asyncio.run(attendant.run()), name="attendant", daemon=True)
    thread.start()

    def sign_off(**_: object) -> None:
        attendant.end()
        thread.join(HEARTBEAT)

    worker_shutdown.connect(sign_off, weak=False)


class Attendant:
    """Goes round every few seconds for as long as the worker lives, and takes it off the list at its end."""

    def __init__(self, settings: WorkerSettings, intake: Intake) -> None:
        self._settings = settings
        self._intake = intake
        self._problem = "has not looked at its daemon yet"
        self._disk: tuple[int, int] | None = None
        self._usage: Callable[[], DiskUsage | None] = lambda: None
        self._drained = False
        self._without_redis = False
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def why_not(self) -> str:
        """Why this worker takes no jobs; '' if it does."""
        if shutdown.stopping():
            return "stopping"
        if self._drained:
            return "drained"
        return self._problem or ("Redis does not answer" if self._without_redis else "")

    def end(self) -> None:
        """Let `run` come to its end, from another thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended.set)

    async def run(self) -> None:
        """Look after everything until `end` is called, when the pool has ended, or the process dies."""
        self._loop = asyncio.get_running_loop()
        redis = connect(self._settings.redis_url)
        jobs, workers = JobStore(redis, self._settings), WorkerRegistry(redis)
        blobs = BlobStore(self._settings.store_url, redis, self._settings.limits_of, self._settings.retention)
        queue = Queue(self._settings.redis_url)
        reaper = Reaper(self._settings.worker_name, jobs, workers, blobs, queue, self._settings.lease, traces(PART))
        keeper = DiskKeeper(self._settings, redis, lambda: self._disk and self._disk[0])
        self._usage = lambda: keeper.usage
        async with asyncio.TaskGroup() as tasks:
            duties = [
                tasks.create_task(self._rounds(redis, jobs, workers)),
                tasks.create_task(self._take_stock(redis)),
                tasks.create_task(reaper.run()),
                tasks.create_task(self._postman(redis, jobs).run()),
                tasks.create_task(keeper.run()),
            ]
            await self._ended.wait()
            for duty in duties:
                duty.cancel()
        await _reaching_redis(workers.withdraw(self._settings.worker_name))

    def _postman(self, redis: Redis, jobs: JobStore) -> Postman:
        sealer = Sealer(self._settings.secret_keys.get_secret_value())
        webhooks = WebhookStore(redis, sealer, self._settings.retention)
        return Postman(webhooks, jobs, sealer, Egress(self._settings.fetch_allow), self._settings.lease)

    async def _rounds(self, redis: Redis, jobs: JobStore, workers: WorkerRegistry) -> None:
        while True:
            try:
                await self._round(redis, jobs, workers)
            except Exception:  # a worker that no longer looks after itself would take jobs unseen
                log.exception("the attendant stumbled")
            await asyncio.sleep(HEARTBEAT)

    async def _take_stock(self, redis: Redis) -> None:
        """Tell the others which images the daemon has: jobs tell of theirs at once, this finds the rest."""
        while True:
            began, rest = time.monotonic(), 1
            try:
                async with Engine(self._settings.docker_host) as engine:
                    await Inventory(redis, self._settings.worker_name, engine).refresh()
                rest = STOCK_REST
            except (ShipwayError, RedisError, OSError) as fault:
                log.warning("can't list the daemon's images", fault=repr(fault))
            except Exception:
                log.exception("taking stock stumbled")
            await asyncio.sleep(min(MAX_REST, max(HEARTBEAT, rest * (time.monotonic() - began))))

    async def _round(self, redis: Redis, jobs: JobStore, workers: WorkerRegistry) -> None:
        daemon: DaemonDescription | None = None
        try:
            async with asyncio.timeout(3 * HEARTBEAT), Engine(self._settings.docker_host) as engine:
                daemon = await engine.describe()
                self._problem = self._disk_problem(daemon.data_root)
                await _reaching_redis(sweep(engine, jobs))
        except (ShipwayError, TimeoutError) as fault:
            if daemon is None:
                self._problem = f"the Docker daemon does not answer: {fault}"
            log.warning("can't look after the daemon", fault=repr(fault))
        metrics.DAEMON_UP.set(daemon is not None)
        self._without_redis = not await _reaching_redis(self._announce(redis, workers, daemon))
        # Celery finds its own way back to Redis.
        self._intake.set(wanted=not (self._drained or self._problem or shutdown.stopping()))

    def _disk_problem(self, path: str) -> str:
        try:
            disk = os.statvfs(path)
        except OSError:  # the daemon's disk can't be seen from here, as in a container
            return ""
        self._disk = free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        metrics.DAEMON_DISK_FREE.set(free)
        metrics.DAEMON_DISK_SIZE.set(size)
        floor = self._settings.worker_min_free_bytes
        return f"disk full: {free} bytes are free where {floor} are wanted" if free < floor else ""

    async def _announce(self, redis: Redis, workers: WorkerRegistry, daemon: DaemonDescription | None) -> None:
        self._drained = await workers.draining(self._settings.worker_name)
        seconds, micros = await redis.time()
        usage = self._usage()
        state = WorkerState.UNHEALTHY if self._problem else WorkerState.READY
        await workers.announce(
            Worker(
                name=self._settings.worker_name,
                pool=self._settings.worker_pool,
                state=WorkerState.DRAINING if self._drained or shutdown.stopping() else state,
                problem=self._problem or None,
                disk_free=self._disk and self._disk[0],
                disk_size=self._disk and self._disk[1],
                cache_used=usage and usage.cache,
                images_used=usage and usage.layers,
                limits=self._settings.step_limits,
                capacity=self._settings.worker_concurrency,
                last_seen=seconds + micros / 1e6,
                daemon_version=daemon and daemon.version,
                api_version=daemon and daemon.api_version,
                os=daemon and daemon.os,
                architecture=daemon and daemon.architecture,
                platform=daemon and f"{daemon.os}/{daemon.architecture}",
            )
        )


async def _reaching_redis(call: Awaitable[object]) -> bool:
    """Make a call that matters little; tell whether it was answered in time."""
    try:
        async with asyncio.timeout(HEARTBEAT):
            await call
    except (RedisError, OSError):
        return False
    return True
