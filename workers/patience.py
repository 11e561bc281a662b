"""Rides out a Redis that is away: what a job has to say is said when it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from workers import shutdown

log = structlog.get_logger(__name__)

T = TypeVar("T")

PAUSE = 0.5
"""Seconds between two tries."""
LIMIT = 900.0
"""Seconds after which a job gives up; its lease is long lost by then, and the reaper has it."""

LAST_WORDS = 3.0
"""Seconds that a worker which stops waits for Redis after its grace period, to hand back what it ran."""


async def patiently(call: Callable[[], Awaitable[T]], limit: float = LIMIT) -> T:
    """Make a call to Redis again and again until it is answered.

    Raises:
        RedisError, OSError: Redis stayed away for `limit` seconds, or the worker has to end now; or it says that the
            call can't be right.
    """
    began: float | None = None
    while True:
        try:
            return await call()
        except (RedisError, OSError) as fault:
            if _wrong(fault):
                raise
            if began is None:
                began = time.monotonic()
                log.warning("Redis is away; waiting for it", fault=repr(fault))
            if time.monotonic() - began > limit or shutdown.overdue(LAST_WORDS):
                raise
            await asyncio.sleep(PAUSE)


def _wrong(fault: Exception) -> bool:
    """Whether it is the call that Redis objects to: a script that fails, a key that this user may not touch.

    What passes (no memory, no disk, a replica that becomes a master) is told with a word in capitals, which redis-py
    makes an exception of its own of, or leaves in front; of plain `ERR` nothing is left.
    """
    if isinstance(fault, NoPermissionError):
        return True
    return type(fault) is ResponseError and not str(fault).partition(" ")[0].isupper()
