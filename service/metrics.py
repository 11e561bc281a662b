"""Every metric of the service process."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from shipway.models.spec import SHARED_QUEUE
from shipway.models.worker import Worker, WorkerState

REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "shipway_http_requests_total",
    "How many requests were answered, by route and status",
    ["method", "route", "status"],
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "shipway_http_request_seconds",
    "How long requests took until their answer began, in seconds",
    ["method", "route"],
    registry=REGISTRY,
)
CONTEXT_BYTES = Counter(
    "shipway_context_received_bytes_total", "How many bytes of uploaded contexts were taken", registry=REGISTRY
)
QUEUE_DEPTH = Gauge("shipway_queue_depth", "How many jobs wait, by queue", ["queue"], registry=REGISTRY)
WORKERS = Gauge("shipway_workers", "How many workers are alive, by state", ["state"], registry=REGISTRY)
WORKER_CAPACITY = Gauge("shipway_worker_capacity", "How many jobs a worker runs at once", ["worker"], registry=REGISTRY)
WORKER_RUNNING = Gauge("shipway_worker_running", "How many jobs a worker runs now", ["worker"], registry=REGISTRY)


def render(workers: list[Worker], queued: dict[str, int]) -> tuple[bytes, str]:
    """Bring the gauges up to date and write all metrics; returns the text and its content type."""
    QUEUE_DEPTH.clear()
    for queue, depth in ({SHARED_QUEUE: 0} | queued).items():
        QUEUE_DEPTH.labels(queue).set(depth)
    for state in WorkerState:
        WORKERS.labels(state).set(sum(w.state is state for w in workers))
    WORKER_CAPACITY.clear()
    WORKER_RUNNING.clear()
    for worker in workers:
        WORKER_CAPACITY.labels(worker.name).set(worker.capacity)
        WORKER_RUNNING.labels(worker.name).set(worker.running)
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
