"""Turns BuildKit's trace into events.

The trace tells of vertexes (steps) again and again as they change; the last word about one counts. Source of
the format: buildkit `api/services/control/control.proto`, `StatusResponse`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from shipway.models.event import EventBody, LogChunk, Progress, Step, StepChanged, StepStatus, Warned
from workers.engine.session.proto.control_pb2 import (
    StatusResponse,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from workers.engine.throttle import Throttle

# `[2/4] RUN …`, `[build 2/4] RUN …`, `[linux/arm64 build 2/4] RUN …`: a line of the user's Dockerfile. All else
# (`[internal] …`, `exporting to image`, `resolve image config …`) is the builder's own work.
_USERS_STEP = re.compile(r"\[(?:[^\]]* )?\d+/\d+\] ")
_BASE = re.compile(r"\bFROM (?P<name>\S+)@(?P<digest>sha256:[0-9a-f]{64})")
_STDERR = 2
_CANCELLED = ("context canceled", "context cancelled")


class Trace:
    """The steps of one build, as far as its trace has told."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}  # by the vertex's digest
        self._told: dict[int, Step] = {}  # by number: what the last event about it said
        self._decoders: dict[tuple[str, int], codecs.IncrementalDecoder] = {}
        self._loud: set[str] = set()
        self._throttle = Throttle()
        self.bases: dict[str, str] = {}

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step that started, as it stands, by number."""
        return tuple(self._told[number] for number in sorted(self._told))

    @property
    def failed(self) -> Step | None:
        """The step that failed last, or None."""
        return next((step for step in reversed(self.steps) if step.status is StepStatus.FAILED), None)

    def read(self, response: StatusResponse) -> Iterator[EventBody]:
        """Yield the events that one piece of trace amounts to.

        A step's beginning comes before its output, and its end after it, also when one piece tells of all.
        """
        loud = {log.vertex for log in response.logs}
        self._loud |= loud
        for vertex in response.vertexes:
            self._note(vertex)
        for vertex in response.vertexes:
            yield from self._begin(vertex.digest, loud=vertex.digest in loud)
        for status in response.statuses:
            yield from self._progress(status)
        for log in response.logs:
            yield from self._log(log)
        for warning in response.warnings:
            yield self._warning(warning)
        for vertex in response.vertexes:
            yield from self._tell(self._steps.get(vertex.digest))

    def abandon(self) -> Iterator[EventBody]:
        """Yield the end of the steps that were running when the build came to its own end."""
        for step in self.steps:
            if step.status is StepStatus.RUNNING:
                yield from self._tell(step.model_copy(update={"status": StepStatus.CANCELLED}))

    def _note(self, vertex: Vertex) -> None:
        if not vertex.HasField("started") and not vertex.cached and not vertex.HasField("completed"):
            return  # merely planned: it has no place in the order of things yet
        known = self._steps.get(vertex.digest)
        status = _status(vertex)
        goes_on = status in (StepStatus.RUNNING, StepStatus.EXECUTED)
        if known and known.status is StepStatus.CACHED and goes_on and vertex.digest not in self._loud:
            status = StepStatus.CACHED  # told again while its layers come from a registry
        inputs = (self._steps[digest].number for digest in vertex.inputs if digest in self._steps)
        self._steps[vertex.digest] = Step(
            number=known.number if known else len(self._steps) + 1,
            name=vertex.name,
            status=status,
            internal=_USERS_STEP.match(vertex.name) is None,
            started=_seconds(vertex.started) if vertex.HasField("started") else None,
            completed=_seconds(vertex.completed) if vertex.HasField("completed") else None,
            error=vertex.error or None,
            digest=vertex.digest,
            inputs=tuple(inputs),
        )
        if base := _BASE.search(vertex.name):
            self.bases[base["name"]] = base["digest"]

    def _begin(self, digest: str, *, loud: bool) -> Iterator[EventBody]:
        step = self._steps.get(digest)
        if step is None or step.number in self._told or step.status is StepStatus.CACHED:
            return
        if step.status is StepStatus.RUNNING or loud:
            update = {"status": StepStatus.RUNNING, "completed": None, "error": None}
            yield from self._tell(step.model_copy(update=update))

    def _tell(self, step: Step | None) -> Iterator[EventBody]:
        if step is not None and self._told.get(step.number) != step:
            self._told[step.number] = step
            yield StepChanged(step=step)

    def _number(self, digest: str) -> int | None:
        step = self._steps.get(digest)
        return step.number if step else None

    def _progress(self, status: VertexStatus) -> Iterator[EventBody]:
        report = Progress(
            step=self._number(status.vertex),
            id=status.ID,
            action=status.name if status.name != status.ID else "",
            current=status.current,
            total=status.total or None,
        )
        if self._throttle.passes(report):
            yield report

    def _log(self, log: VertexLog) -> Iterator[EventBody]:
        key = (log.vertex, log.stream)
        if key not in self._decoders:
            self._decoders[key] = codecs.getincrementaldecoder("utf-8")("replace")
        if text := self._decoders[key].decode(log.msg):
            stream = "stderr" if log.stream == _STDERR else "stdout"
            yield LogChunk(step=self._number(log.vertex), stream=stream, text=text)

    def _warning(self, warning: VertexWarning) -> Warned:
        return Warned(
            step=self._number(warning.vertex),
            message=warning.short.decode(errors="replace"),
            detail="\n".join(line.decode(errors="replace") for line in warning.detail),
            url=warning.url,
        )


def _status(vertex: Vertex) -> StepStatus:
    if vertex.error:
        cancelled = vertex.error.endswith(_CANCELLED)
        return StepStatus.CANCELLED if cancelled else StepStatus.FAILED
    if vertex.cached:
        return StepStatus.CACHED
    return StepStatus.EXECUTED if vertex.HasField("completed") else StepStatus.RUNNING


def _seconds(moment: Timestamp) -> float:
    return moment.seconds + moment.nanos / 1e9
