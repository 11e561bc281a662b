"""What each project stores, by path in the object store, and until when: Redis is the truth, the store only has it.

An object is there once it is counted, and counted once it is written. What is being removed is not there, and can't be
written anew before it is gone: or else what was just sent could be removed in the place of its predecessor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shipway.exceptions import TooLarge, Unavailable
from shipway.limits import ProjectLimits
from shipway.storage import keys
from shipway.storage.redis import Scripts

UNFINISHED = 86_400.0
"""Seconds until an object that nobody finished, or finished and never used, is forgotten."""
CROWDED = 0.9
"""Part of what a project may store beyond which what it used longest ago goes before its time."""
ROOM = 0.1
"""Part of what a project may store that goes then."""
RESTING = 10.0
"""Seconds between two such looks at one project."""
_AT_ONCE = 1000
"""Paths that one script looks at: Redis does nothing else meanwhile."""


class Ledger:
    """Counts and dates the objects of all projects.

    Args:
        redis: where the accounts are.
        limits_of: what a project may store (`max_stored_bytes`).
        retention: seconds that what is used is kept for, counted from its last use.
    """

    def __init__(self, redis: Redis, limits_of: Callable[[str], ProjectLimits], retention: float) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._limits_of = limits_of
        self._retention = retention

    async def hold(self, sizes: Mapping[str, int]) -> set[str]:
        """Announce objects of one project, each with its bytes, 0 if unknown; returns those that are not there yet.

        Raises:
            TooLarge: the project would store more than it may (`storage-full`).
            Unavailable: one is being removed just now (`store-busy`).
        """
        path = next(iter(sizes))
        found = await self._scripts.call("hold", [_stored(path), keys.EXPIRING], [UNFINISHED, *sizes])
        if not found:
            raise Unavailable("what is to be stored is just being removed; send it again", slug="store-busy")
        new = {one for one, there in zip(sizes, found[1:], strict=True) if not there}
        if new:
            await self._check(path, int(found[0]) + sum(sizes[one] for one in new))
        return new

    async def count(self, sizes: Mapping[str, int]) -> None:
        """Count objects of one project with the bytes they have (so far).

        Raises:
            TooLarge: the project stores more than it may (`storage-full`).
        """
        path = next(iter(sizes))
        counted = [word for item in sizes.items() for word in item]
        await self._check(path, int(await self._scripts.call("count", [_stored(path)], counted)))

    async def _check(self, path: str, stored: int) -> None:
        """Make room in a project that stores much; refuse what is more than it may store."""
        most = self._limits_of(_project(path)).max_stored_bytes
        if stored > CROWDED * most and await self._may_look(path):
            await self._make_room(path, int(ROOM * most))
        if stored > most:
            raise _full(most)

    async def _may_look(self, path: str) -> bool:
        return bool(await self._redis.set(keys.crowded(_project(path)), 1, nx=True, px=int(RESTING * 1000)))

    async def _make_room(self, path: str, size: int) -> None:
        """Let go what the project used longest ago, until so many bytes go: the reaper removes it.

        What was used within `UNFINISHED` stays: jobs may be at it. So does what would go by itself as soon, for that
        may be on its way here just now.
        """
        now = await self._now()
        oldest, youngest = now + UNFINISHED, now + self._retention - UNFINISHED
        seen = 0
        while size > 0 and oldest < youngest:
            found = cast(
                "list[tuple[str, float]]",
                await self._redis.zrangebyscore(
                    keys.EXPIRING, oldest, youngest, start=seen, num=_AT_ONCE, withscores=True
                ),
            )
            if not found:
                return
            went, freed = await self._let_go(path, dict(found), size)
            seen += len(found) - went
            size -= freed

    async def _let_go(self, path: str, ends: dict[str, float], size: int) -> tuple[int, int]:
        """Let objects of a project end now, but for those kept meanwhile; returns how many objects and bytes."""
        own = [one for one in ends if _project(one) == _project(path)]
        sizes = await self._redis.hmget(_stored(path), own) if own else []
        chosen: list[str] = []
        freed = 0
        for one, bytes_ in zip(own, sizes, strict=True):
            if freed >= size:
                break
            chosen += [one, repr(ends[one])]
            freed += int(bytes_ or 0) if bytes_ != "-" else 0
        if not chosen:
            return 0, 0
        return int(await self._scripts.call("hasten", [keys.EXPIRING], chosen)), freed

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
        await self._redis.zadd(keys.EXPIRING, {path: await self._now() + seconds})

    async def _now(self) -> float:
        seconds, micros = await self._redis.time()
        return float(seconds) + float(micros) / 1e6

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


def _full(most: int) -> TooLarge:
    return TooLarge(
        f"the project would store more than {most} bytes; "
        "what it used longest ago is removed, if that is more than a day; try again, or wait for the rest to end",
        slug="storage-full",
    )


def _stored(path: str) -> str:
    """The account of the project that a path belongs to: `projects/{project}/…`."""
    return keys.stored(_project(path))


def _project(path: str) -> str:
    return path.split("/", 2)[1]
