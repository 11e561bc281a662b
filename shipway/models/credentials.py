"""Secret values that travel beside a spec, never in it."""

from __future__ import annotations

from pydantic import Field

from shipway.models.spec import Frozen


class RegistryLogin(Frozen):
    """User and password (or token) for one registry."""

    username: str = Field(max_length=4096)
    password: str = Field(max_length=65_536, repr=False)


class Credentials(Frozen):
    """Secret values that travel with a job and end with it.

    `secrets` maps a build secret's id to its value, base64. `ssh` maps an ssh agent's id to its private keys, base64.
    `registries` maps a registry's host to its login.
    """

    secrets: dict[str, str] = Field({}, repr=False, max_length=64)
    ssh: dict[str, tuple[str, ...]] = Field({}, repr=False, max_length=64)
    registries: dict[str, RegistryLogin] = Field({}, repr=False, max_length=64)
