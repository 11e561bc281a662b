"""The audit log: one entry for every change that somebody asked for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AuditEntry(BaseModel):
    """Who changed what, when, and from where."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="grows with time; pass it as `before` to see older entries")
    at: float = Field(description="seconds since the epoch")
    who: str = Field(description="the token's id and name, or a CI job's issuer and subject")
    project: str = Field(description="the caller's")
    address: str = Field(description="where the request came from")
    action: str = Field(description="what was done: `build.submit`, `job.cancel`, `token.create` and so on")
    subject: str = Field(description="id or name of what it was done to")
