"""Enqueue a job: all that service and reaper know of Celery. A message is a hint that holds a job id.

Why each setting is not Celery's default is in `docs/decisions/0001-celery-settings.md`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shipway.models.job import Job
from shipway.models.spec import SHARED_QUEUE

TASK = "shipway.run"
PRIORITIES = 10


def celery_app(redis_url: str, **overrides: Any) -> Celery:
    """Make the Celery app with the settings that the failure model needs."""
    app = Celery("shipway", broker=redis_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=SHARED_QUEUE,
        task_create_missing_queues=True,
        task_ignore_result=True,
        task_acks_late=False,
        task_store_eager_result=False,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_transport_options={
            "visibility_timeout": 60,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "queue_order_strategy": "priority",
            "priority_steps": list(range(PRIORITIES)),
        },
        **overrides,
    )
    return app


class Queue:
    """Sends job ids to the workers."""

    def __init__(self, redis_url: str) -> None:
        self._app = celery_app(redis_url, task_publish_retry=False)

    async def enqueue(self, job: Job) -> bool:
        """Send a message for a job; False when it couldn't be sent (the reaper sends it again)."""
        try:
            await asyncio.to_thread(self._send, job.id, job.spec.priority, job.spec.queue)
        except (OSError, OperationalError, RedisError):
            return False
        return True

    def close(self) -> None:
        """Close the connections to the broker."""
        self._app.close()

    def _send(self, job_id: str, priority: int, queue: str) -> None:
        self._app.send_task(TASK, args=[job_id], queue=queue, priority=priority, retry=False)
