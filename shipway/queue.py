"""Enqueue a job: all that service and reaper know of Celery. A message is a hint that holds a job id.

Why each setting is not Celery's default is in `docs/decisions/0001-celery-settings.md`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shipway.models.job import Job
from shipway.models.spec import SHARED_QUEUE, own_queue
from shipway.redis_url import Sentinels

TASK = "shipway.run"
PRIORITIES = 10
PUBLISHING = 3.0
"""Seconds to wait for a message to be taken; the record is written by then, and the reaper sends it again."""


def celery_app(redis_url: str, **overrides: Any) -> Celery:
    """Make the Celery app with the settings that the failure model needs."""
    sentinels = Sentinels.of(redis_url)
    app = Celery("shipway", broker=sentinels.broker if sentinels else redis_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=SHARED_QUEUE,
        task_ignore_result=True,
        task_acks_late=False,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
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
            **({"master_name": sentinels.name} if sentinels else {}),
        },
        **overrides,
    )
    return app


class Queue:
    """Sends job ids to the workers."""

    def __init__(self, redis_url: str) -> None:
        self._app = celery_app(redis_url, task_publish_retry=False)
        # Threads of its own: those that hang with Redis must not be missed elsewhere.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="publish")

    async def enqueue(self, job: Job, *, queue: str | None = None) -> bool:
        """Send a message for a job; False when it couldn't be sent in time (the reaper sends it again).

        Args:
            job: what to send.
            queue: where it is on offer; None means where a new job is.
        """
        queue = queue or (own_queue(job.placed) if job.placed else job.queue)
        sending = asyncio.get_running_loop().run_in_executor(
            self._threads, self._send, job.id, job.spec.priority, queue
        )
        try:
            await asyncio.wait_for(sending, PUBLISHING)
        except (OSError, OperationalError, RedisError):  # TimeoutError is an OSError
            return False
        return True

    def close(self) -> None:
        """Close the connections to the broker."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._app.close()

    def _send(self, job_id: str, priority: int, queue: str) -> None:
        self._app.send_task(TASK, args=[job_id], queue=queue, priority=priority, retry=False)
