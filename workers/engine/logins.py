"""Registry logins in the forms that daemons take them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from shipway.models.reference import DEFAULT_DOMAIN
from shipway.models.spec import RegistryLogin

HUB_KEY = "https://index.docker.io/v1/"
"""The name under which Docker keeps the login for Docker Hub."""
_HUB_HOSTS = {"docker.io", "index.docker.io", "registry-1.docker.io", "auth.docker.io"}


def registry_host(name: str) -> str:
    """Reduce the many names of a registry (URL, host, Docker Hub's several hosts) to one."""
    host = name.removeprefix("https://").removeprefix("http://").partition("/")[0].lower()
    return DEFAULT_DOMAIN if host in _HUB_HOSTS else host


def login_for(registry: str, logins: Mapping[str, RegistryLogin]) -> RegistryLogin | None:
    """Return the login for a registry, or None."""
    wanted = registry_host(registry)
    return next((login for name, login in logins.items() if registry_host(name) == wanted), None)


def auth_header(registry: str, login: RegistryLogin | None) -> dict[str, str]:
    """`X-Registry-Auth` for one registry. The daemon wants the header even when there is no login."""
    return {"X-Registry-Auth": _encode(_plain(registry, login) if login else {})}


def config_header(logins: Mapping[str, RegistryLogin]) -> dict[str, str]:
    """`X-Registry-Config` for all registries, which the classic builder reads for base images."""
    if not logins:
        return {}
    return {"X-Registry-Config": _encode({_key(name): _plain(name, login) for name, login in logins.items()})}


def _key(registry: str) -> str:
    host = registry_host(registry)
    return HUB_KEY if host == DEFAULT_DOMAIN else host


def _plain(registry: str, login: RegistryLogin) -> dict[str, str]:
    return {"username": login.username, "password": login.password, "serveraddress": _key(registry)}


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
