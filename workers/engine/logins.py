"""Registry logins in the forms that daemons take them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from shipway.models.credentials import RegistryLogin
from shipway.models.reference import DEFAULT_DOMAIN, registry_host

HUB_KEY = "https://index.docker.io/v1/"
"""The name under which Docker keeps the login for Docker Hub."""
TOKEN_USER = "<token>"  # noqa: S105  (Docker's mark for "the password is an identity token", not a password)


def login_for(registry: str, logins: Mapping[str, RegistryLogin]) -> RegistryLogin | None:
    """Return the login for a registry, or None."""
    wanted = registry_host(registry)
    return next((login for name, login in logins.items() if registry_host(name) == wanted), None)


def auth_header(registry: str, login: RegistryLogin | None) -> dict[str, str]:
    """`X-Registry-Auth` for one registry. The daemon wants the header even when there is no login."""
    return {"X-Registry-Auth": _encode(_plain(registry, login) if login else {})}


def auth_body(registry: str, login: RegistryLogin) -> bytes:
    """The body of `POST /auth`, which asks a registry whether it takes a login."""
    return json.dumps(_plain(registry, login)).encode()


def config_header(logins: Mapping[str, RegistryLogin]) -> dict[str, str]:
    """`X-Registry-Config` for all registries, which the classic builder reads for base images."""
    if not logins:
        return {}
    return {"X-Registry-Config": _encode({_key(name): _plain(name, login) for name, login in logins.items()})}


def _key(registry: str) -> str:
    host = registry_host(registry)
    return HUB_KEY if host == DEFAULT_DOMAIN else host


def _plain(registry: str, login: RegistryLogin) -> dict[str, str]:
    if login.username == TOKEN_USER:
        return {"identitytoken": login.password, "serveraddress": _key(registry)}
    return {"username": login.username, "password": login.password, "serveraddress": _key(registry)}


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
