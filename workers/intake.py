"""Opens and closes a worker's mouth: whether Celery reads its queues."""

from __future__ import annotations

from typing import Protocol

import structlog

log = structlog.get_logger(__name__)


class Reading(Protocol):
    """What reads the queues at this moment; made anew with each connection."""

    def consuming_from(self, queue: str) -> bool: ...


class Consumer(Protocol):
    """What we need of Celery's consumer. Its own thread must do the work, hence `call_soon`."""

    task_consumer: Reading | None

    def call_soon(self, call: object, *args: object) -> object: ...

    def add_task_queue(self, queue: str) -> None: ...

    def cancel_task_queue(self, queue: str) -> None: ...


class Intake:
    """Reads the queues, or doesn't. What already runs goes on either way."""

    def __init__(self, consumer: Consumer, queues: list[str]) -> None:
        self._consumer = consumer
        self._queues = queues
        self._open = True

    def set(self, *, wanted: bool) -> None:
        """Read the queues, or stop reading them.

        Looks at what is read, not at what was asked for before: a request made while Celery is connecting is lost.
        """
        if wanted is not self._open:
            log.info("takes jobs again" if wanted else "takes no more jobs")
            self._open = wanted
        reading = self._consumer.task_consumer
        if reading is None:
            return
        change = self._consumer.add_task_queue if wanted else self._consumer.cancel_task_queue
        for queue in self._queues:
            if reading.consuming_from(queue) is not wanted:
                self._consumer.call_soon(change, queue)
