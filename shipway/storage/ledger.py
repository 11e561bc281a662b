"""What each project stores, by path in the object store, and until when: Redis is the truth, the store only has it.

An object is there once it is counted, and counted once it is written. What is being removed is not there, and can't be
written anew before it is gone: or else what was just sent could be removed in the place of its predecessor.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shipway.exceptions import TooLarge, Unavailable
from shipway.storage import keys
from shipway.storage.redis import Scripts

UNFINISHED = 86_400.0
"""Seconds until an object that nobody finished, or finished and never used, is forgotten."""
_AT_ONCE = 1000
"""Paths that one script looks at: Redis does nothing else meanwhile."""


class Ledger:
    """Counts and dates the objects of all projects.

    Args:
        redis: where the accounts are.
        max_stored: bytes that one project may store.
    """

    def __init__(self, redis: Redis, max_stored: int) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._max_stored = max_stored

    async def hold(self, path: str, size: int = 0) -> bool:
        """Announce an object of so many bytes, if that is known; returns whether it is there already.

        Raises:
            TooLarge: the project would store more than it may (`storage-full`).
            Unavailable: it is being removed just now (`store-busy`).
        """
        found = await self._scripts.call("hold", [_stored(path), keys.EXPIRING], [path, UNFINISHED])
        if not found:
            raise Unavailable("what is to be stored is just being removed; send it again", slug="store-busy")
        stored, there = int(found[0]), bool(found[1])
        if not there and stored + size > self._max_stored:
            raise self._full()
        return there

    async def count(self, path: str, size: int) -> None:
        """Count an object with the bytes it has (so far).

        Raises:
            TooLarge: the project stores more than it may (`storage-full`).
        """
        if int(await self._scripts.call("count", [_stored(path)], [path, size])) > self._max_stored:
            raise self._full()

    async def keep(self, paths: Sequence[str], seconds: float) -> list[str]:
        """Let objects of one project live for some seconds from now; returns those that are not there."""
        missing: list[str] = []
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            places = await self._scripts.call("keep", [_stored(some[0]), keys.EXPIRING], [seconds, *some])
            missing += [some[place] for place in places]
        return missing

    async def date(self, path: str, seconds: float) -> None:
        """Let an object live for some seconds from now, whether it is there or not."""
        now, micros = await self._redis.time()
        await self._redis.zadd(keys.EXPIRING, {path: float(now) + float(micros) / 1e6 + seconds})

    async def doom(self, limit: int) -> list[str]:
        """Choose objects whose time is over. They are not there any more; `forget` each once it is removed."""
        paths: list[str] = await self._scripts.call("doom", [keys.EXPIRING], [limit])
        return paths

    async def lose(self, path: str) -> None:
        """Say that an object is about to be removed: it is not there any more."""
        with suppress(RedisError):
            await self._scripts.call("count", [_stored(path)], [path, "-"])

    async def forget(self, path: str) -> None:
        """Take an object off the account; if Redis is away, the reaper comes by all the same."""
        with suppress(RedisError):
            await self._scripts.call("forget", [_stored(path), keys.EXPIRING], [path])

    def _full(self) -> TooLarge:
        return TooLarge(
            f"the project would store more than {self._max_stored} bytes; "
            "what is there goes by itself when its time is over",
            slug="storage-full",
        )


def _stored(path: str) -> str:
    """The account of the project that a path belongs to: `projects/{project}/…`."""
    return keys.stored(path.split("/", 2)[1])
