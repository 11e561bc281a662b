"""What a worker says of itself."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class WorkerState(StrEnum):
    """Whether a worker takes jobs."""

    READY = "ready"
    DRAINING = "draining"
    UNHEALTHY = "unhealthy"


class Worker(BaseModel):
    """One Celery worker bound to one Docker daemon."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: WorkerState = WorkerState.READY
    problem: str | None = Field(None, description="why it takes no jobs")
    daemon_version: str | None = None
    api_version: str | None = None
    os: str | None = None
    architecture: str | None = None
    platform: str | None = Field(None, description="os/architecture of its daemon")
    disk_free: int | None = Field(None, description="bytes free where its daemon keeps its data; null when unseen")
    disk_size: int | None = Field(None, description="bytes of that disk")
    capacity: int = Field(description="how many jobs it runs at once")
    running: int = Field(0, description="how many it runs now")
    last_seen: float = Field(description="seconds since the epoch, by Redis's clock")
