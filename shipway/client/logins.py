"""The user's registry logins, from Docker's own configuration, for the registries that a build needs.

Source: `~/.docker/config.json` (or in `$DOCKER_CONFIG`): `auths` maps a registry to `auth`, base64 of
`user:password`; `credHelpers` and `credsStore` name programs `docker-credential-NAME`, which get the registry on
standard input of `get` and answer JSON with `Username` and `Secret`. Docker Hub's key is a URL.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from shipway.exceptions import ClientError
from shipway.models.reference import DEFAULT_DOMAIN, registry_host

_HUB_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105  (Docker's mark for "the password is an identity token", not a password)
_PROGRAM_LIMIT = 20.0
"""Seconds a credential program may take; some ask the user's key ring."""


class Login(TypedDict):
    """A user and a password, as requests carry them."""

    username: str
    password: str


def docker_config_path() -> Path:
    """Docker's client configuration; it need not exist."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def registry_logins(
    hosts: Iterable[str], *, path: Path | None = None, warn: Callable[[str], None] = lambda _: None
) -> dict[str, Login]:
    """Find the logins for some registries and no others: nothing leaves this machine that isn't needed.

    A credential program that fails is told to `warn` and then counts as no login: a public image needs none.

    Args:
        hosts: registries as references name them, with their port; `docker.io` for Docker Hub. Not looked at where
            there is no login at all.
        path: the configuration file, by default Docker's own.
        warn: told what could not be read.

    Raises:
        ClientError: `docker-config-invalid` when the file is there but can't be read.
    """
    config = _load(path or docker_config_path())
    found: dict[str, Login] = {}
    if not any(config.get(kind) for kind in ("auths", "credHelpers", "credsStore")):
        return found
    for host in sorted(set(hosts)):
        login = _login(config, host, warn)
        if login is not None:
            found[host] = login
    return found


def configured_registries(*, path: Path | None = None, warn: Callable[[str], None] = lambda _: None) -> frozenset[str]:
    """Find the registries that Docker's configuration has logins for, by their hosts.

    Those are the ones that docker's own client gives the classic builder: it can't know which will be asked for.

    Raises:
        ClientError: `docker-config-invalid` when the file is there but can't be read.
    """
    config = _load(path or docker_config_path())
    names = [*_object(config, "auths"), *_object(config, "credHelpers")]
    store = config.get("credsStore")
    if isinstance(store, str) and store:
        names += _run(store, "list", "", warn) or {}
    return frozenset(registry_host(name) for name in names)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as fault:
        raise ClientError(f"{path} can't be read: {fault}", slug="docker-config-invalid") from fault
    if not isinstance(config, dict):
        raise ClientError(f"{path} must hold a JSON object", slug="docker-config-invalid")
    return config


def _login(config: Mapping[str, Any], host: str, warn: Callable[[str], None]) -> Login | None:
    program = _object(config, "credHelpers").get(host) or config.get("credsStore")
    if isinstance(program, str) and program:
        login = _ask(program, _HUB_KEY if host == DEFAULT_DOMAIN else host, warn)
        if login is not None:
            return login
    for key, entry in _object(config, "auths").items():
        if registry_host(key) == host and isinstance(entry, dict):
            return _decoded(entry, host, warn)
    return None


def _decoded(entry: Mapping[str, Any], host: str, warn: Callable[[str], None]) -> Login | None:
    if entry.get("identitytoken"):
        return Login(username=_TOKEN_USER, password=str(entry["identitytoken"]))
    if entry.get("username") and entry.get("password"):
        return Login(username=str(entry["username"]), password=str(entry["password"]))
    if not entry.get("auth"):
        return None
    from base64 import b64decode  # noqa: PLC0415  (many have no such login)

    try:
        user, colon, password = b64decode(str(entry["auth"])).decode().partition(":")
    except ValueError:
        colon = ""
    if not colon:
        warn(f"Docker's login for {host} can't be read; log in again with `docker login {host}`")
        return None
    return Login(username=user, password=password.rstrip("\0"))


def _ask(program: str, registry: str, warn: Callable[[str], None]) -> Login | None:
    answer = _run(program, "get", registry, warn)
    if answer is None:
        return None
    try:
        return Login(username=str(answer["Username"]), password=str(answer["Secret"]))
    except KeyError as fault:
        warn(f"docker-credential-{program} gave no {fault} for {registry}")
        return None


def _run(program: str, what: str, given: str, warn: Callable[[str], None]) -> Mapping[str, Any] | None:
    """Ask a credential program; None, and a warning, if it has no answer."""
    import subprocess  # noqa: PLC0415  (few have such a program for a registry at hand)

    command = f"docker-credential-{program}"
    try:
        done = subprocess.run(
            [command, what], input=given, capture_output=True, text=True, timeout=_PROGRAM_LIMIT, check=False
        )
        if done.returncode == 0:
            return dict(json.loads(done.stdout))
    except (OSError, subprocess.TimeoutExpired, ValueError, TypeError) as fault:
        warn(f"{command} {what} {given}: {type(fault).__name__}")
        return None
    told = (done.stdout.strip() or done.stderr.strip())[:200]
    if "not found" not in told:
        warn(f"{command} {what} {given}: {told}")
    return None


def _object(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return value if isinstance(value, dict) else {}
