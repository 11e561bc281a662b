"""What a worker says of itself."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class WorkerState(StrEnum):
    """Whether a worker takes jobs."""

    READY = "ready"
    DRAINING = "draining"
    UNHEALTHY = "unhealthy"


class StepLimits(BaseModel):
    """What one step of a build may use of its machine, where the engine can keep it to that.

    The classic builder keeps to this at every step, and so does the container that a commit is made of.
    BuildKit ignores it: its steps run in the control group that the daemon was started with.
    """

    model_config = ConfigDict(frozen=True)

    memory: int | None = Field(None, description="bytes, swap included; as much as there is when null")
    cpus: float | None = Field(None, description="processors, such as 1.5; all when null")
    pids: int | None = Field(None, description="processes of a commit's commands at once; no builder keeps to it")
    cgroup_parent: str | None = Field(None, description="control group that steps run in; the daemon's own when null")


class Worker(BaseModel):
    """One Celery worker bound to one Docker daemon."""

    model_config = ConfigDict(frozen=True)

    name: str
    pool: str = Field("", description="the circle of projects it builds for; all that have no pool when empty")
    state: WorkerState = WorkerState.READY
    problem: str | None = Field(None, description="why it takes no jobs")
    daemon_version: str | None = None
    api_version: str | None = None
    os: str | None = None
    architecture: str | None = None
    platform: str | None = Field(None, description="os/architecture of its daemon")
    disk_free: int | None = Field(None, description="bytes free where its daemon keeps its data; null when unseen")
    disk_size: int | None = Field(None, description="bytes of that disk")
    cache_used: int | None = Field(None, description="bytes of build cache there that no image shares")
    images_used: int | None = Field(None, description="bytes of all images there")
    capacity: int = Field(description="how many jobs it runs at once")
    running: int = Field(0, description="how many it runs now")
    limits: StepLimits = Field(StepLimits(), description="what a step may use; BuildKit ignores it")
    last_seen: float = Field(description="seconds since the epoch, by Redis's clock")
