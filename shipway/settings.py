"""Settings that the servers share, each read from `SHIPWAY_<NAME>` in the environment."""

from __future__ import annotations

from functools import cache

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shipway import pools
from shipway.context.limits import Limits
from shipway.egress import Egress


class Settings(BaseSettings):
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
    max_jobs: int = Field(5000, description="ended jobs of one project that are kept, whatever their age")
    max_queued: int = Field(5000, ge=1, description="jobs of one project that may wait")
    max_running: int = Field(64, ge=1, description="jobs of one project that may run at once; the others wait")
    max_timeout: float = Field(86_400, gt=0, description="seconds that a job may ask to run at most")
    max_stored_bytes: int = Field(200 * 2**30, description="bytes of contexts and archives that a project may store")
    max_requests: float = Field(
        200, gt=0, description="requests per second of one project; bursts of five times as many"
    )
    max_webhooks: int = Field(20, ge=0, description="webhooks of one project")
    http_stall: float = Field(60, gt=0, description="seconds that an HTTP client may send, or read, nothing")
    lease: float = Field(30, description="seconds that a claim holds unless it is renewed")
    placement_wait: float = Field(
        2,
        ge=0,
        description="seconds for which a build waits for the worker that most likely has its steps, before any other "
        "may take it",
    )
    max_attempts: int = Field(3, description="how often a job may be taken before it fails for good")
    max_context_bytes: int = Field(20 * 2**30, description="bytes of one context, unpacked")
    max_context_entries: int = Field(1_000_000, description="files, directories and links in one context")
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
    max_artifact_bytes: int = Field(100 * 2**30, description="bytes of one uploaded archive")
    max_log_bytes: int = Field(64 * 2**20, description="bytes of log kept per attempt; the rest is dropped with a note")

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

    def pool_of(self, project: str) -> str:
        """The pool of workers that builds for a project; '' for those that all others share."""
        return pools.read(self.pools).get(project, "")

    def has_host_network(self, project: str) -> bool:
        """Whether a project's RUN steps may use the network of the worker's machine."""
        return bool({project, "*"} & {name.strip() for name in self.host_network.split(",")})

    @property
    def context_limits(self) -> Limits:
        """What a context may hold."""
        return Limits(max_bytes=self.max_context_bytes, max_entries=self.max_context_entries)


@cache
def settings() -> Settings:
    """Read the environment once per process."""
    return Settings()
