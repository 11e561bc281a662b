"""The connection to Redis, with a limit on every wait, and the scripts that change records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import ExponentialBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shipway.exceptions import Unavailable
from shipway.models.spec import own_queue, pool_queue
from shipway.redis_url import Sentinels
from shipway.storage import keys

CONNECT_TIMEOUT = 3.0
"""Seconds to wait for a connection."""
SOCKET_TIMEOUT = 10.0
"""Seconds to wait for an answer; blocking reads ask for less."""
ANSWER_TIMEOUT = 12.0
"""Seconds that a request may wait for Redis in all, whatever is tried again meanwhile."""


def connect(url: str) -> Redis:
    """Make a client for a URL as `shipway.redis_url` describes it; nothing is sent yet."""
    sentinels = Sentinels.of(url)
    if sentinels is None:
        return Redis.from_url(url, **_options())
    group = Sentinel(  # type: ignore[no-untyped-call]
        sentinels.hosts,
        sentinel_kwargs={"socket_connect_timeout": CONNECT_TIMEOUT, "socket_timeout": CONNECT_TIMEOUT},
        db=sentinels.database,
        username=sentinels.user,
        password=sentinels.password,
        **_options(),
    )
    return cast("Redis", group.master_for(sentinels.name))


def _options() -> dict[str, Any]:
    return {
        "decode_responses": True,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
        "retry_on_error": [RedisConnectionError, RedisTimeoutError],
    }


@asynccontextmanager
async def reaching_redis(limit: float | None = ANSWER_TIMEOUT) -> AsyncIterator[None]:
    """Tell a Redis that is away, full, read-only or hung as `Unavailable`, whatever shape the fault takes."""
    try:
        async with asyncio.timeout(limit):
            yield
    except (RedisError, OSError) as fault:  # TimeoutError is an OSError
        raise redis_away() from fault


def redis_away() -> Unavailable:
    """What a client is told while Redis can't be used."""
    return Unavailable(
        "Redis can't be reached or refuses writes just now; nothing was changed. Try again in a few seconds.",
        slug="redis-unavailable",
    )


IN_NEED = frozenset({"renew", "settle", "requeue", "expire", "cancel", "pace", "doom", "forget"})
"""Scripts that run in a full Redis as well: what runs must be able to go on, to end and to be asked about. They add
next to nothing."""
ALLOW_OOM = "#!lua flags=allow-oom\n"
NAMES = {
    "QUEUE": keys.QUEUE,
    "PROJECT": keys.PROJECT,
    "WORKER": keys.worker(""),
    "WORKERS": keys.WORKERS,
    "DRAINING": keys.DRAINING,
    "OWN": own_queue(""),
    "EVERYBODY": pool_queue(""),
    "POOL": pool_queue("-").removesuffix("-"),
    "WEBHOOKS": keys.webhooks(""),
    "WEBHOOK": keys.WEBHOOK,
    "DELIVERIES": keys.DELIVERIES,
}
"""Of the keys and queues that a script puts together itself, for it finds their names only in records."""
SHARED = ("prelude", "placing")
"""What stands before every script."""


@cache
def _source(name: str) -> str:
    folder = files("shipway.storage") / "scripts"
    flags = ALLOW_OOM if name in IN_NEED else ""
    names = f"local {', '.join(NAMES)} = {', '.join(repr(value) for value in NAMES.values())}\n"
    return flags + names + "".join((folder / f"{part}.lua").read_text() for part in (*SHARED, name))


class Scripts:
    """The atomic steps in `scripts/*.lua`, called by name."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._known: dict[str, AsyncScript] = {}

    async def call(self, name: str, names: Sequence[str], args: Sequence[str | float]) -> Any:
        """Run a script; Redis loads it on first use."""
        script = self._known.get(name)
        if script is None:  # it hashes its text, which takes as long as a call
            script = self._known[name] = self._redis.register_script(_source(name))
        return await script(keys=list(names), args=list(args))
