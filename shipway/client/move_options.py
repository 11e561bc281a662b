"""The options of jobs other than builds, as keyword arguments. Their meaning is told in `shipway.models.spec`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from shipway.client.logins import Login
from shipway.models.credentials import RegistryLogin

Workers = Literal["any", "all"] | Sequence[str]
"""Any one worker, all that live, or those named: one job for each."""


class JobKeywords(TypedDict, total=False):
    """What every job may be told: `timeout` in seconds, `priority` from 0 (served first) to 9."""

    timeout: float
    priority: int


class OnWorker(JobKeywords, total=False):
    """A job of which one worker may be chosen."""

    worker: str | None


class WithLogins(OnWorker, total=False):
    """A job that may speak to registries: `registries` maps a registry's host to its login."""

    registries: Mapping[str, RegistryLogin | Login]


class CommitKeywords(WithLogins, total=False):
    """See `shipway.models.spec.CommitOptions`."""

    image: str | None
    container: str | None
    run: Sequence[str]
    changes: Sequence[str]
    author: str
    message: str
    pause: bool
    tags: Sequence[str]
    push: bool


class ImportKeywords(WithLogins, total=False):
    """See `shipway.models.spec.ImportOptions`."""

    changes: Sequence[str]
    message: str
    platform: str | None
    tags: Sequence[str]
    push: bool


class SaveKeywords(OnWorker, total=False):
    """See `shipway.models.spec.SaveOptions`; `compression` is none, gzip or zstd."""

    compression: str


class ExportKeywords(SaveKeywords, total=False):
    """See `shipway.models.spec.ExportOptions`."""

    image: str | None
    container: str | None
    registries: Mapping[str, RegistryLogin | Login]


class PushKeywords(WithLogins, total=False):
    """See `shipway.models.spec.PushOptions`."""

    tags: Sequence[str]


class LoadKeywords(JobKeywords, total=False):
    """See `shipway.models.spec.LoadOptions`."""

    workers: Workers


class PullKeywords(LoadKeywords, total=False):
    """See `shipway.models.spec.PullOptions`."""

    platform: str | None
    registries: Mapping[str, RegistryLogin | Login]


class PruneKeywords(LoadKeywords, total=False):
    """See `shipway.models.spec.PruneOptions`."""

    keep_bytes: int
