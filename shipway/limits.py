"""What one project may use. The operator sets it for all projects, and for single ones by `SHIPWAY_PROJECT_LIMITS`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shipway.context.limits import Limits


class ProjectLimits(BaseModel):
    """The limits of a project, each by the name of its setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_jobs: int = Field(5000, ge=1, description="ended jobs of one project that are kept, whatever their age")
    max_queued: int = Field(5000, ge=1, description="jobs of one project that may wait")
    max_running: int = Field(64, ge=1, description="jobs of one project that may run at once; the others wait")
    max_timeout: float = Field(86_400, gt=0, description="seconds that a job may ask to run at most")
    max_requests: float = Field(
        200, gt=0, description="requests per second of one project; bursts of five times as many"
    )
    max_webhooks: int = Field(20, ge=0, description="webhooks of one project")
    max_stored_bytes: int = Field(
        200 * 2**30, ge=0, description="bytes of contexts and archives that a project may store"
    )
    max_context_bytes: int = Field(20 * 2**30, ge=0, description="bytes of one context, unpacked")
    max_context_entries: int = Field(1_000_000, ge=0, description="files, directories and links in one context")
    max_artifact_bytes: int = Field(100 * 2**30, ge=0, description="bytes of one uploaded archive")
    max_log_bytes: int = Field(
        64 * 2**20, ge=0, description="bytes of log kept per attempt; the rest is dropped with a note"
    )

    @property
    def context_limits(self) -> Limits:
        """What a context may hold."""
        return Limits(max_bytes=self.max_context_bytes, max_entries=self.max_context_entries)
