"""Webhooks: who is told by HTTP that jobs have ended, what they are told, and what became of it.

Messages, their headers and their signature are those of the Standard Webhooks specification, version 1.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from shipway.models.error import Problem
from shipway.models.job import Job, JobState, PushedReference, Timings, names_of
from shipway.models.request import Strict
from shipway.models.spec import Kind
from shipway.models.token import ProjectName, TokenId

PING = "ping"
"""The type of a message that was asked for as a test."""


def _receiver(text: str) -> str:
    try:
        parts = urlsplit(text)
        plain = bool(parts.hostname) and not (parts.username or parts.password or parts.fragment) and parts.port != 0
    except ValueError:
        plain = False
    if not plain:
        raise PydanticCustomError("webhook-url-invalid", "a webhook's URL is http(s)://…, without a user or fragment")
    return text


ReceiverUrl = Annotated[
    str,
    Field(max_length=2048, pattern=r"^https?://[!-~]+$", description="where messages are posted to"),
    AfterValidator(_receiver),
]
Ended = Literal[JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED]


class Subscription(BaseModel):
    """Which jobs' ends are told, and to whom."""

    model_config = ConfigDict(frozen=True)

    url: ReceiverUrl
    kinds: Annotated[
        tuple[Kind, ...], Field(min_length=1, max_length=len(Kind), description="kinds of jobs that are told of")
    ] = (Kind.BUILD,)
    states: Annotated[tuple[Ended, ...], Field(min_length=1, max_length=3, description="ends that are told of")] = (
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
    )


class WebhookRequest(Subscription, Strict):
    """The JSON body of `POST /v1/webhooks`."""

    project: ProjectName | None = Field(None, description="whose jobs; those of the token's own project when null")


class Webhook(Subscription):
    """A webhook as it is listed: all but its secret."""

    id: TokenId
    project: ProjectName
    created: float = Field(description="seconds since the epoch")


class NewWebhook(Webhook):
    """A webhook just made: the only answer that holds its secret."""

    secret: str = Field(description="signs every message: `whsec_` and base64; it is not shown again")


class DeliveryState(StrEnum):
    """How far a message is. The last two are final."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


class Delivery(BaseModel):
    """What became of one message to one receiver."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="sent as `webhook-id`: the job's id, or that of a test")
    type: str = Field(description="`job.succeeded`, `job.failed`, `job.cancelled` or `ping`")
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = Field(0, description="how many times it was sent")
    status: int | None = Field(None, description="HTTP status of the last answer; null when there was none")
    error: str | None = Field(None, description="why the last attempt failed")
    at: float = Field(description="when it was last sent, seconds since the epoch")
    next: float | None = Field(None, description="when it is sent again, seconds since the epoch")


class JobSummary(BaseModel):
    """What is told of a job."""

    model_config = ConfigDict(frozen=True)

    id: str
    project: str
    kind: Kind
    state: JobState
    names: tuple[str, ...]
    worker: str | None
    attempt: int
    timings: Timings
    cache_hit_ratio: float | None
    seconds_saved: float | None
    image_id: str | None
    pushed: tuple[PushedReference, ...]
    error: Problem | None

    @classmethod
    def of(cls, job: Job) -> JobSummary:
        """Sum up a record."""
        return cls(
            **{name: getattr(job, name) for name in ("id", "project", "kind", "state", "worker", "attempt", "error")},
            names=names_of(job),
            timings=job.timings,
            cache_hit_ratio=job.cache_hit_ratio,
            seconds_saved=job.result.seconds_saved,
            image_id=job.result.image_id,
            pushed=job.result.pushed,
        )


class Message(BaseModel):
    """The JSON body that is posted."""

    model_config = ConfigDict(frozen=True)

    type: str
    timestamp: str = Field(description="when it happened, ISO 8601")
    data: JobSummary | None = None

    @classmethod
    def of(cls, job: Job) -> Message:
        """Tell how a job ended."""
        ended = datetime.fromtimestamp(job.timings.finished or 0, UTC).isoformat(timespec="milliseconds")
        return cls(type=f"job.{job.state}", timestamp=ended, data=JobSummary.of(job))
