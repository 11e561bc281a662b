"""Settings that the servers share, each read from `SHIPWAY_<NAME>` in the environment."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shipway import pools
from shipway.egress import Egress
from shipway.limits import ProjectLimits
from shipway.models.token import ProjectName


class Settings(BaseSettings, ProjectLimits):
    """What service and workers must agree upon."""

    model_config = SettingsConfigDict(env_prefix="SHIPWAY_", frozen=True, extra="ignore")

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="queue, records and events: redis://, rediss://, or sentinel://host,host/name",
    )
    store_url: str = Field("file:///var/lib/shipway/store", description="object store of contexts: file, s3, gs, az")
    secret_keys: SecretStr = Field(
        SecretStr(""), description="Fernet keys, newest first, comma separated; seal credentials on their way"
    )
    retention: float = Field(7 * 86_400, description="seconds that a finished job, its events and log are kept")
    http_stall: float = Field(60, gt=0, description="seconds that an HTTP client may send, or read, nothing")
    lease: float = Field(30, description="seconds that a claim holds unless it is renewed")
    placement_wait: float = Field(
        2,
        ge=0,
        description="seconds for which a build waits for the worker that most likely has its steps, before any other "
        "may take it",
    )
    max_attempts: int = Field(3, description="how often a job may be taken before it fails for good")
    fetch_allow: str = Field(
        "", description="addresses and networks that URLs may lead to although they are not public, comma separated"
    )
    host_network: str = Field(
        "",
        description="projects whose RUN steps may use the network of the machine itself, comma separated; * for all",
    )
    pools: str = Field(
        "",
        description="workers that build for some projects only: POOL=PROJECT,PROJECT;POOL=… Such a project builds "
        "nowhere else; all others share the workers of no pool",
    )
    project_limits: dict[ProjectName, dict[str, Any]] = Field(
        {},
        description='limits of single projects in place of those for all, as JSON: {"team-a": {"max_running": 8, '
        '"max_stored_bytes": 1000000000}}',
    )

    @field_validator("fetch_allow")
    @classmethod
    def _networks(cls, value: str) -> str:
        Egress(value)
        return value

    @field_validator("pools")
    @classmethod
    def _circles(cls, value: str) -> str:
        pools.read(value)
        return value

    @model_validator(mode="after")
    def _known_limits(self) -> Self:
        _ = self.limits_by_project
        return self

    def pool_of(self, project: str) -> str:
        """The pool of workers that builds for a project; '' for those that all others share."""
        return pools.read(self.pools).get(project, "")

    def has_host_network(self, project: str) -> bool:
        """Whether a project's RUN steps may use the network of the worker's machine."""
        return bool({project, "*"} & {name.strip() for name in self.host_network.split(",")})

    @cached_property
    def limits_by_project(self) -> dict[str, ProjectLimits]:
        """The limits of each project that has some of its own."""
        common = self.model_dump(include=set(ProjectLimits.model_fields))
        return {name: ProjectLimits.model_validate(common | own) for name, own in self.project_limits.items()}

    def limits_of(self, project: str) -> ProjectLimits:
        """What a project may use."""
        return self.limits_by_project.get(project, self)


@cache
def settings() -> Settings:
    """Read the environment once per process."""
    return Settings()
