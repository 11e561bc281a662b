"""The states of jobs and steps. Apart from the models, for `shipway build` shows them without loading Pydantic."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. The last three are final: a job never leaves them."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether a job stays in this state for good."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class StepStatus(StrEnum):
    """How far a step is, or how it ended."""

    RUNNING = "running"
    CACHED = "cached"
    EXECUTED = "executed"
    FAILED = "failed"
    CANCELLED = "cancelled"
