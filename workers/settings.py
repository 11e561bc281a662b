"""Settings of a worker, beside those it shares with the service."""

from __future__ import annotations

import socket
from functools import cache
from pathlib import Path

from pydantic import Field

from shipway.models.spec import own_queue, pool_queue
from shipway.models.worker import StepLimits
from shipway.settings import Settings


class WorkerSettings(Settings):
    """Read from `SHIPWAY_<NAME>` in the environment."""

    worker_name: str = Field(
        default_factory=socket.gethostname,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
        description="its own among all workers, and the same after a restart: jobs find the warm cache by it",
    )
    worker_pool: str = Field("", pattern=r"^[a-z0-9-]{0,63}$", description="the pool of SHIPWAY_POOLS it belongs to")
    worker_concurrency: int = Field(2, ge=1, le=256, description="jobs run at once")
    worker_host: str = Field("127.0.0.1", description="address that metrics and health are served on")
    worker_port: int = Field(8471, description="port of metrics and health")
    worker_cache: Path = Field(Path("/var/cache/shipway"), description="where fetched blobs are kept")
    worker_cache_bytes: int = Field(20 * 2**30, ge=0, description="bytes of blobs kept there; the least used go first")
    worker_grace: float = Field(30, description="seconds that running jobs get to finish after SIGTERM")
    worker_docker_config: Path | None = Field(
        None,
        description="folder of a Docker config.json whose logins every job on this worker may use; none when empty",
    )
    worker_step_memory: int | None = Field(
        None,
        gt=0,
        description="bytes that a step of the classic builder, or a commit's commands, may use; BuildKit ignores it",
    )
    worker_step_cpus: float | None = Field(
        None,
        gt=0,
        description="processors that a step of the classic builder, or a commit's commands, may use; not BuildKit",
    )
    worker_step_pids: int | None = Field(
        None, gt=0, description="processes that the commands of one commit may have at once; no builder knows of it"
    )
    worker_cgroup_parent: str | None = Field(
        None, description="control group of steps of the classic builder and of commits; BuildKit ignores it"
    )
    worker_signer: Path | None = Field(
        None, description="program that signs what was pushed: run with name@digest, without a shell"
    )
    worker_signer_timeout: float = Field(60, gt=0, description="seconds that signing one image may take")
    docker_host: str | None = Field(None, description="the daemon; Docker's own default when empty")

    worker_idle_timeout: float = Field(1800, description="seconds without any event after which a job is ended")
    worker_min_free_bytes: int = Field(2**30, description="free bytes on the daemon's disk below which no job is taken")

    worker_max_disk_bytes: int = Field(
        0, ge=0, description="bytes of build cache and of Shipway's own images above which some of them go; 0: no limit"
    )
    worker_keep_free_bytes: int = Field(
        0, ge=0, description="free bytes on the daemon's disk below which some of them go; 0: no floor"
    )
    worker_image_rest: float = Field(86_400, ge=0, description="seconds without use before which no image goes")
    worker_disk_interval: float = Field(60, gt=0, description="seconds between two looks at the daemon's disk")

    @property
    def step_limits(self) -> StepLimits:
        """What one step may use."""
        return StepLimits(
            memory=self.worker_step_memory,
            cpus=self.worker_step_cpus,
            pids=self.worker_step_pids,
            cgroup_parent=self.worker_cgroup_parent,
        )

    @property
    def queues(self) -> list[str]:
        """The queues it reads: its own, then that of its pool."""
        return [own_queue(self.worker_name), pool_queue(self.worker_pool)]


@cache
def worker_settings() -> WorkerSettings:
    """Read the environment once per process."""
    return WorkerSettings()
