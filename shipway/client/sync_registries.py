"""`shipway.client.registries` for code without asyncio."""

from __future__ import annotations

from shipway.client.aio import AsyncClient
from shipway.client.portal import Portal


class SyncRegistries:
    """`Registries` for code without asyncio: the same names, arguments and errors."""

    _client: AsyncClient
    _portal: Portal

    def log_in(self, registry: str, username: str, password: str) -> tuple[str, ...]:
        """See `AsyncClient.log_in`."""
        return self._portal.run(self._client.log_in(registry, username, password))

    def log_out(self, registry: str) -> tuple[str, ...]:
        """See `AsyncClient.log_out`."""
        return self._portal.run(self._client.log_out(registry))

    def registries(self) -> tuple[str, ...]:
        """See `AsyncClient.registries`."""
        return self._portal.run(self._client.registries())
