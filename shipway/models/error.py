"""The one shape in which errors are told: in HTTP answers, in job records and in events."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shipway.exceptions import JobError, ShipwayError, TooMany, Unavailable


class Problem(BaseModel):
    """What happened, to what, and what to do about it."""

    model_config = ConfigDict(frozen=True)

    slug: str = Field(description="stable identifier of this kind of error")
    message: str = Field(description="what happened and what to do, for a person")
    field: str | None = Field(None, description="the part of the request at fault")
    step: str | None = Field(None, description="the build step that failed")
    retryable: bool = Field(False, description="whether the same request may succeed later")

    @classmethod
    def of(cls, error: ShipwayError) -> Problem:
        """Describe an exception."""
        return cls(
            slug=error.slug,
            message=error.message,
            field=error.field,
            step=error.step if isinstance(error, JobError) else None,
            retryable=error.retryable if isinstance(error, JobError) else isinstance(error, TooMany | Unavailable),
        )


class ErrorAnswer(BaseModel):
    """Body of every HTTP answer that is not a success."""

    error: Problem
