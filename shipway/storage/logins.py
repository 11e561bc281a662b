"""The registry logins of each project, sealed: kept until they are taken back."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from shipway.models.credentials import Credentials, RegistryLogin
from shipway.storage import keys
from shipway.storage.sealing import Sealer


class LoginStore:
    """Reads and writes what `shipway login` leaves with a project."""

    def __init__(self, redis: Redis, sealer: Sealer) -> None:
        self._redis = redis
        self._sealer = sealer

    async def put(self, project: str, registry: str, login: RegistryLogin) -> None:
        """Keep a login in place of the one before.

        Raises:
            Unavailable: this service has no key to seal it with.
        """
        sealed = self._sealer.seal(Credentials(registries={registry: login}))
        await self._redis.hset(keys.logins(project), registry, sealed)

    async def remove(self, project: str, registry: str) -> bool:
        """Forget a login; False if there was none."""
        return bool(await self._redis.hdel(keys.logins(project), registry))

    async def all(self, project: str) -> dict[str, RegistryLogin]:
        """Read a project's logins, by registry.

        Raises:
            BuildSystemError: one was sealed with a key that this process doesn't have.
        """
        found: dict[str, RegistryLogin] = {}
        for sealed in cast("list[str]", await self._redis.hvals(keys.logins(project))):
            found |= self._sealer.unseal(sealed).registries
        return found

    async def reseal(self) -> int:
        """Seal every project's logins anew with the first key; returns how many. Then the older keys can go.

        Raises:
            BuildSystemError: one was sealed with a key that this process doesn't have.
        """
        count = 0
        async for key in self._redis.scan_iter(keys.logins("*")):
            count += await self._redis.transaction(partial(self._reseal, key), key, value_from_callable=True)
        return count

    async def _reseal(self, key: str, pipe: Pipeline) -> int:
        stored: Any = await pipe.hgetall(key)
        pipe.multi()  # type: ignore[no-untyped-call]
        for registry, sealed in stored.items():
            pipe.hset(key, registry, self._sealer.seal(self._sealer.unseal(sealed)))
        return len(stored)

    async def registries(self, project: str) -> list[str]:
        """List the registries that a project has logins for."""
        return sorted(cast("list[str]", await self._redis.hkeys(keys.logins(project))))
