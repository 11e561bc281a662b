"""The registry logins of each project, sealed: kept until they are taken back."""

from __future__ import annotations

from typing import cast

from redis.asyncio import Redis

from shipway.models.spec import Credentials, RegistryLogin
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

    async def registries(self, project: str) -> list[str]:
        """List the registries that a project has logins for."""
        return sorted(cast("list[str]", await self._redis.hkeys(keys.logins(project))))
