"""The worker's own registry logins, from the Docker configuration that its operator named."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from pathlib import Path

import structlog

from shipway.client.logins import configured_registries, registry_logins
from shipway.exceptions import ClientError
from shipway.models.credentials import RegistryLogin

log = structlog.get_logger(__name__)


async def own_logins(folder: Path | None, *, known: AbstractSet[str]) -> dict[str, RegistryLogin]:
    """Read the logins for all registries but those `known`, with credential programs as Docker runs them.

    Args:
        folder: that holds `config.json`; None for no logins.
        known: registries that need none.
    """
    return {} if folder is None else await asyncio.to_thread(_read, folder / "config.json", known)


def _read(path: Path, known: AbstractSet[str]) -> dict[str, RegistryLogin]:
    try:
        found = registry_logins(configured_registries(path=path, warn=_warn) - known, path=path, warn=_warn)
    except ClientError as fault:
        _warn(fault.message)
        return {}
    return {host: RegistryLogin(**login) for host, login in found.items()}


def _warn(message: str) -> None:
    log.warning("can't read a login of this worker", fault=message)
