"""The connection to Redis, with a limit on every wait, and the scripts that change records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shipway.exceptions import Unavailable

CONNECT_TIMEOUT = 3.0
"""Seconds to wait for a connection."""
SOCKET_TIMEOUT = 10.0
"""Seconds to wait for an answer; blocking reads ask for less."""


def connect(url: str) -> Redis:
    """Make a client for a `redis://`, `rediss://` or `unix://` URL; nothing is sent yet."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=SOCKET_TIMEOUT,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


@asynccontextmanager
async def reaching_redis() -> AsyncIterator[None]:
    """Tell a Redis that is away, full or read-only as `Unavailable`, whatever shape the fault takes."""
    try:
        yield
    except (RedisError, OSError) as fault:
        raise Unavailable(
            "Redis can't be reached or refuses writes just now; nothing was changed. Try again in a few seconds.",
            slug="redis-unavailable",
        ) from fault


@cache
def _source(name: str) -> str:
    folder = files("shipway.storage") / "scripts"
    return (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()


class Scripts:
    """The atomic steps in `scripts/*.lua`, called by name."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def call(self, name: str, keys: Sequence[str], args: Sequence[str | float]) -> Any:
        """Run a script; Redis loads it on first use."""
        return await self._redis.register_script(_source(name))(keys=list(keys), args=list(args))
