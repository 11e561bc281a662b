"""A job's record: the truth about one unit of work."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shipway.models.error import Problem
from shipway.models.event import Step
from shipway.models.figures import cache_hit_ratio, counted_steps, names_of  # noqa: F401  (found here, too)
from shipway.models.image import ImageDescription
from shipway.models.spec import SHARED_QUEUE, Kind, Spec
from shipway.models.states import JobState


class Timings(BaseModel):
    """When things happened (seconds since the epoch by Redis's clock) and how long phases took (seconds)."""

    model_config = ConfigDict(frozen=True)

    created: float
    started: float | None = Field(None, description="when the current attempt was claimed")
    finished: float | None = None
    queued: float | None = Field(None, description="when it entered the queue last")
    phases: dict[str, float] = Field({}, description="seconds per phase: fetch, build, push")


class PushedReference(BaseModel):
    """One reference and what became of it, as its registry reports."""

    model_config = ConfigDict(frozen=True)

    reference: str
    digest: str | None = Field(None, description="manifest digest, sha256:…; null when it failed")
    error: Problem | None = Field(None, description="why it failed")


class Artifact(BaseModel):
    """An archive in the object store, to be downloaded from the job that made it."""

    model_config = ConfigDict(frozen=True)

    blob: str
    name: str = Field(description="file name for the download")
    bytes: int
    digest: str = Field(description="sha256:… of the archive")


class Result(BaseModel):
    """What a job brought about, as far as it came."""

    model_config = ConfigDict(frozen=True)

    image_id: str | None = None
    built_on: str | None = Field(None, description="worker whose daemon has the image")
    pushed: tuple[PushedReference, ...] = ()
    pulled: PushedReference | None = None
    images: tuple[str, ...] = Field((), description="names or ids that were loaded, tagged or removed")
    image: ImageDescription | None = Field(None, description="what an inspect job found")
    artifact: Artifact | None = Field(None, description="what a save or export job made")
    bytes_freed: int | None = Field(None, description="what a prune job freed")
    bases: dict[str, str] = Field(
        {}, description="base images and what they were: digests in registries, or ids of the daemon's own images"
    )
    answered_from: str | None = Field(None, description="earlier job whose result this is, for nothing had changed")
    seconds_saved: float | None = Field(
        None, description="what the cached steps took when they last ran for this image, as far as that is known"
    )
    had: dict[str, int] = Field({}, description="how many of the build's steps each worker had, as far as recorded")
    regret: int = Field(0, description="steps that ran although another worker had them")
    context_sent: int = Field(0, description="bytes of context the builder asked for")
    context_spared: int = Field(0, description="bytes of context it did not need")


class Job(BaseModel):
    """One unit of work: what was asked, how far it is, what came of it."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    id: str
    project: str
    queue: str = Field(SHARED_QUEUE, description="the queue that it waits in")
    kind: Kind
    state: JobState
    attempt: int = Field(0, description="how many times a worker has taken it")
    worker: str | None = None
    placed: str | None = Field(None, description="worker that was to take it, for it has the steps most likely")
    cancel_requested: bool = False
    waited_for: str | None = Field(None, description="equal job that ran at the same time, whose end was awaited")
    spec: Spec
    timings: Timings
    steps: tuple[Step, ...] = ()
    cache_hit_ratio: float | None = Field(None, description="cached ÷ all steps of the user but FROM; null before any")
    result: Result = Result()
    error: Problem | None = None
    trace: str | None = Field(None, description="place in a trace (W3C traceparent) where it was asked for")
    events: int = Field(0, description="number of the newest event")
