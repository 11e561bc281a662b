"""The options of a build, as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from shipway.models.spec import RegistryLogin


class BuildKeywords(TypedDict, total=False):
    """What `build` takes besides the context; see `shipway.models.spec.BuildOptions` for the meaning.

    `secrets` maps a secret's id to its value; `registries` maps a registry's host to its login.
    """

    tags: Sequence[str]
    push: bool
    build_args: Mapping[str, str]
    target: str | None
    platform: str | None
    labels: Mapping[str, str]
    no_cache: bool
    pull: bool
    network: str | None
    extra_hosts: Sequence[str]
    cache_from: Sequence[str]
    builder: str
    timeout: float
    priority: int
    secrets: Mapping[str, bytes]
    registries: Mapping[str, RegistryLogin]
