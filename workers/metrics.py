"""Every metric of a worker. The pool's processes add up in one folder that the main process serves."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_BUILD_BUCKETS = (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_QUEUE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_RATIO_BUCKETS = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1)

JOBS = Counter("shipway_jobs_total", "How many attempts of jobs ended, by kind and outcome", ["kind", "outcome"])
RUNNING = Gauge("shipway_jobs_running", "How many jobs run now", ["kind"], multiprocess_mode="livesum")
QUEUE_SECONDS = Histogram(
    "shipway_queue_seconds", "How long jobs waited for a worker, in seconds", ["kind"], buckets=_QUEUE_BUCKETS
)
BUILD_SECONDS = Histogram(
    "shipway_build_seconds", "How long the daemon built, in seconds", ["builder", "outcome"], buckets=_BUILD_BUCKETS
)
FETCH_SECONDS = Histogram("shipway_context_fetch_seconds", "How long a worker took to get a context ready, in seconds")
CONTEXT_SENT = Counter("shipway_context_sent_bytes_total", "How many bytes of context daemons asked for")
CONTEXT_SPARED = Counter(
    "shipway_context_spared_bytes_total", "How many bytes of context daemons already had or did not need"
)
STEPS = Counter("shipway_steps_total", "How many steps of users' Dockerfiles ended, by result", ["builder", "result"])
HIT_RATIO = Histogram(
    "shipway_cache_hit_ratio", "Which part of a build's steps was cached", ["builder"], buckets=_RATIO_BUCKETS
)
ANSWERS = Counter(
    "shipway_instant_answers_total", "How many builds were answered by an earlier result, for nothing had changed"
)
JOINED = Counter("shipway_joined_builds_total", "How many builds gave way to an equal one that ran already")
REGRET = Counter("shipway_regret_steps_total", "How many steps ran although another worker had them")
PUSH_SECONDS = Histogram("shipway_push_seconds", "How long a push of one reference took, in seconds", ["outcome"])
PUSH_BYTES = Counter("shipway_push_bytes_total", "How many bytes of layers were sent to registries")
RETRIES = Counter("shipway_retries_total", "How many attempts were followed by another, by slug", ["slug"])
LEASES_LOST = Counter("shipway_leases_lost_total", "How many jobs were taken back from workers that went silent")
RESENT = Counter("shipway_messages_resent_total", "How many messages were sent again for jobs that still waited")
CAPACITY = Gauge("shipway_capacity", "How many jobs this worker runs at once", multiprocess_mode="mostrecent")
DAEMON_UP = Gauge("shipway_daemon_up", "Whether the daemon answers", multiprocess_mode="mostrecent")
DAEMON_DISK_FREE = Gauge(
    "shipway_daemon_disk_free_bytes",
    "How many bytes are free where the daemon keeps its data",
    multiprocess_mode="mostrecent",
)
DAEMON_DISK_SIZE = Gauge(
    "shipway_daemon_disk_size_bytes",
    "How big the disk is on which the daemon keeps its data",
    multiprocess_mode="mostrecent",
)

DAEMON_CACHE = Gauge(
    "shipway_daemon_cache_bytes", "How many bytes of build cache the daemon keeps", multiprocess_mode="mostrecent"
)
DAEMON_IMAGES = Gauge(
    "shipway_daemon_images_bytes", "How many bytes the daemon's images take", multiprocess_mode="mostrecent"
)
FREED = Counter(
    "shipway_disk_freed_bytes_total",
    "How many bytes were freed on the daemon's disk, by what went and why",
    ["what", "reason"],
)


WEBHOOK_MESSAGES = Counter(
    "shipway_webhook_messages_total", "How many messages were sent to webhooks, by what became of them", ["outcome"]
)
WEBHOOK_SECONDS = Histogram("shipway_webhook_seconds", "How long receivers of webhooks took to answer, in seconds")


def render() -> bytes:
    """Write the metrics of all processes of this worker as text."""
    _forget_killed()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget(pid: int) -> None:
    """Drop the live gauges of a process of the pool that ended."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _forget_killed() -> None:
    """Drop the live gauges of processes that could not say that they ended."""
    for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            forget(pid)
