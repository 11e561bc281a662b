"""What happens to a job: numbered from 1 without gaps, in order, resumable at any number.

Bodies are told apart by `type`. Times are seconds since the epoch; durations are seconds; sizes are bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from shipway.models.error import Problem
from shipway.models.states import StepStatus


class Body(BaseModel):
    """Base of all event bodies. Fields a newer version added are ignored, not refused."""

    model_config = ConfigDict(frozen=True)


class Step(Body):
    """One vertex of a build (BuildKit) or one Dockerfile instruction (classic).

    `number` counts the steps of one attempt from 1 in the order in which they first appeared. `internal` steps
    (loading the Dockerfile, the context …) are the builder's own and count in no cache ratio.
    """

    number: int
    name: str
    status: StepStatus
    internal: bool = False
    started: float | None = None
    completed: float | None = None
    error: str | None = None
    digest: str | None = Field(None, description="the builder's own digest of the step")
    inputs: tuple[int, ...] = Field((), description="numbers of the steps this one builds upon")


class StateChanged(Body):
    """The job moved to another state."""

    type: Literal["state"] = "state"
    state: str
    worker: str | None = None
    error: Problem | None = None


class StepChanged(Body):
    """A step started or finished; the last event about a step counts."""

    type: Literal["step"] = "step"
    step: Step


class LogChunk(Body):
    """Text that a step wrote, as it came: may hold several lines or a part of one."""

    type: Literal["log"] = "log"
    step: int | None = Field(None, description="number of the step that wrote it")
    stream: Literal["stdout", "stderr"] = "stdout"
    text: str


class Progress(Body):
    """How far a transfer within a step or a push is. `id` names the thing that moves (a layer, a file)."""

    type: Literal["progress"] = "progress"
    step: int | None = None
    id: str
    action: str = ""
    current: int = 0
    total: int | None = None


class Warned(Body):
    """The builder or Shipway warns of something that is not an error."""

    type: Literal["warning"] = "warning"
    step: int | None = None
    message: str
    detail: str = ""
    url: str = ""


class Pushed(Body):
    """A reference was pushed and the registry confirmed its digest."""

    type: Literal["pushed"] = "pushed"
    reference: str
    digest: str


class Answered(Body):
    """Nothing was built: nothing had changed since an earlier job, whose result this is."""

    type: Literal["answered"] = "answered"
    job: str


class Joined(Body):
    """The same build runs already as another job, whose end this one awaits."""

    type: Literal["joined"] = "joined"
    job: str


EventBody = Annotated[
    StateChanged | StepChanged | LogChunk | Progress | Warned | Pushed | Answered | Joined, Field(discriminator="type")
]
_KNOWN = frozenset(kind.model_fields["type"].default for kind in get_args(get_args(EventBody)[0]))


class Unknown(Body):
    """A body of a type that only a newer version knows: handed on as it is, and otherwise passed over."""

    model_config = ConfigDict(extra="allow")

    type: str

    @field_validator("type")
    @classmethod
    def _is_unknown(cls, value: str) -> str:
        if value in _KNOWN:
            raise ValueError("a body of a known type must be as that type is")
        return value


AnyBody = Annotated[EventBody | Unknown, Field(union_mode="left_to_right")]


class Event(Body):
    """One numbered event of one job."""

    seq: int = Field(description="number of the event in its job, from 1, without gaps")
    at: float = Field(description="when it was recorded, seconds since the epoch by Redis's clock")
    attempt: int = Field(description="the attempt of the job it belongs to; 0 before the first")
    body: AnyBody


BODY: TypeAdapter[AnyBody] = TypeAdapter(AnyBody)
"""Reads a body from JSON by its `type`."""
