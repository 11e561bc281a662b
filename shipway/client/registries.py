"""The part of `AsyncClient` that keeps registry logins with the project."""

from __future__ import annotations

from shipway.client.answers import RegistryList
from shipway.client.checking import validated
from shipway.client.connection import Connection
from shipway.client.paths import registry_path
from shipway.models.credentials import RegistryLogin

PATIENCE = 60.0
"""Seconds that the service may take to have a worker try a login."""


class Registries:
    """Logins for registries, kept by the service for every job of the project. A registry is named by its host.

    Methods return the registries that have a login now, and raise `InvalidRequest` (`invalid-registry-name`).
    """

    _connection: Connection

    async def log_in(self, registry: str, username: str, password: str) -> tuple[str, ...]:
        """Keep a login for a registry, once a worker has tried it.

        Raises:
            InvalidRequest: the registry does not take it (`registry-denied`), or can't be reached by that name.
            Unavailable: no worker came to it in time.
        """
        login = validated(RegistryLogin, {"username": username, "password": password})
        answer = await self._connection.put(registry_path(registry), json=login.model_dump(), patience=PATIENCE)
        return RegistryList.model_validate_json(answer.content).registries

    async def log_out(self, registry: str) -> tuple[str, ...]:
        """Forget the login for a registry.

        Raises:
            NotFound: there is none (`login-unknown`).
        """
        answer = await self._connection.delete(registry_path(registry))
        return RegistryList.model_validate_json(answer.content).registries

    async def registries(self) -> tuple[str, ...]:
        """List the registries that have a login."""
        return RegistryList.model_validate_json((await self._connection.get("/v1/registries")).content).registries
