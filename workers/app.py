"""The Celery app of a worker, and what runs in its main process beside the pool."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_process_init, worker_process_shutdown, worker_ready, worker_shutting_down
from stamina.instrumentation import set_on_retry_hooks

from shipway import logs
from shipway.cycles import look_seldom
from shipway.queue import celery_app
from shipway.telemetry import traces
from workers import attendant, metrics, shutdown
from workers.parts import PART
from workers.settings import worker_settings

logs.configure()
set_on_retry_hooks(())  # stamina would add a metric of its own; ours count retries already

FLUSH = 2.0
"""Seconds that the last traces may hold up the end of a process."""

app = celery_app(worker_settings().redis_url, include=["workers.tasks"])


@worker_ready.connect
def _attend(sender: Any, **_: Any) -> None:
    attendant.start(worker_settings(), sender)


@worker_shutting_down.connect
def _drain(**_: Any) -> None:
    shutdown.begin(worker_settings().worker_grace)


@worker_process_init.connect
def _begin(**_: Any) -> None:
    look_seldom()


@worker_process_shutdown.connect
def _gone(pid: int, **_: Any) -> None:
    traces(PART).flush(FLUSH)
    metrics.forget(pid)
