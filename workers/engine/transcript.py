"""Turns the classic builder's output, which is prose for a terminal, into events.

Source of the format: moby `builder/dockerfile/dispatchers.go` and `builder.go` (Engine 1.13 to 28): `Step 2/4 :
RUN …`, ` ---> Using cache`, ` ---> Running in <container>`, the step's own output, `Removing intermediate
container <container>` (current engines: ` ---> Removed intermediate container <container>`), ` ---> <image>`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from shipway.models.event import EventBody, LogChunk, Progress, Step, StepChanged, StepStatus
from workers.engine.stream import Message
from workers.engine.throttle import Throttle

_STEP = re.compile(r"Step (?P<number>\d+)/(?P<total>\d+) : (?P<name>.*)", re.DOTALL)
_CACHED = " ---> Using cache\n"
_RUNNING = re.compile(r" ---> (?:\[Warning\] .*)?Running in (?P<container>[0-9a-f]+)\n")
_REMOVED = re.compile(r"(?:Removing| ---> Removed) intermediate container (?P<container>[0-9a-f]+)\n")
_IMAGE = re.compile(r" ---> (?P<image>[0-9a-f]{12,})\n")
_VERDICT = re.compile(r"Successfully (?:built|tagged) \S+\n")
_DIGEST = re.compile(r"Digest: (?P<digest>sha256:[0-9a-f]{64})")
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(?P<name>\S+)", re.IGNORECASE)
_BEFORE_FROM = re.compile(r"ARG\b", re.IGNORECASE)
_RED, _PLAIN = "\x1b[91m", "\x1b[0m"


class Transcript:
    """The steps of one build, as far as its output has told.

    Attributes:
        image_id: of the last stage finished, `sha256:…`.
        container: of the step that runs now, or None.
        bases: base images that were pulled for this build, and their digests.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._throttle = Throttle()
        self._steps: list[Step] = []
        self._total = 0
        self._cached = False
        self._in_stage = False
        self.image_id: str | None = None
        self.container: str | None = None
        self.bases: dict[str, str] = {}

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step that started."""
        return tuple(self._steps)

    @property
    def complete(self) -> bool:
        """Whether every step came to its end, the last one too."""
        return bool(self._steps) and len(self._steps) == self._total

    def read(self, message: Message) -> Iterator[EventBody]:
        """Yield the events that one message amounts to."""
        if "stream" in message:
            yield from self._text(str(message["stream"]))
        elif "status" in message:
            yield from self._pull(message)
        elif isinstance(message.get("aux"), dict) and "ID" in message["aux"]:
            self.image_id = message["aux"]["ID"]

    def finish(self, error: str | None = None) -> Iterator[EventBody]:
        """Yield the end of the step that runs now: it failed with `error`, or went well if None."""
        status = StepStatus.FAILED if error else StepStatus.CACHED if self._cached else StepStatus.EXECUTED
        yield from self._end(status, error)

    def abandon(self) -> Iterator[EventBody]:
        """Yield the end of the step that ran when the build was stopped."""
        yield from self._end(StepStatus.CANCELLED)

    def _text(self, text: str) -> Iterator[EventBody]:
        if self.container is not None:
            # While a container runs, only its own removal is the builder's word: a step may print anything.
            removed = _REMOVED.fullmatch(text)
            if removed and removed["container"] == self.container:
                self.container = None
            else:
                yield from self._output(text)
        elif (found := _STEP.fullmatch(text)) and int(found["number"]) == len(self._steps) + 1:
            yield from self.finish()
            yield from self._start(found)
        elif text == _CACHED:
            self._cached = True
        elif found := _RUNNING.fullmatch(text):
            self.container, self._cached = found["container"], False
        elif text.strip() and not _IMAGE.fullmatch(text) and not _VERDICT.fullmatch(text):
            yield from self._output(text)

    def _start(self, found: re.Match[str]) -> Iterator[EventBody]:
        self._total, name = int(found["total"]), found["name"].strip()
        is_base = _FROM.match(name) is not None
        # A base image that needs no pulling is there already: the classic builder's own word for it is none.
        self._cached, self._in_stage = is_base, self._in_stage or is_base
        step = Step(
            number=len(self._steps) + 1,
            name=name,
            status=StepStatus.RUNNING,
            internal=not self._in_stage and _BEFORE_FROM.match(name) is not None,
            started=self._clock(),
        )
        self._steps.append(step)
        yield StepChanged(step=step)

    def _end(self, status: StepStatus, error: str | None = None) -> Iterator[EventBody]:
        if self._steps and self._steps[-1].status is StepStatus.RUNNING:
            ended = {"status": status, "completed": self._clock(), "error": error}
            self._steps[-1] = self._steps[-1].model_copy(update=ended)
            yield StepChanged(step=self._steps[-1])

    def _output(self, text: str) -> Iterator[EventBody]:
        loud = text.startswith(_RED)
        plain = text.replace(_RED, "").replace(_PLAIN, "") if loud else text
        if plain:
            yield LogChunk(step=self._number, stream="stderr" if loud else "stdout", text=plain)

    def _pull(self, message: dict[str, Any]) -> Iterator[EventBody]:
        status, name = str(message["status"]), str(message.get("id", ""))
        if (found := _DIGEST.match(status)) and self._steps:
            base = _FROM.match(self._steps[-1].name)
            self.bases[base["name"] if base else self._steps[-1].name] = found["digest"]
        if "Downloaded newer image" in status or status == "Pull complete":
            self._cached = False
        detail = message.get("progressDetail") or {}
        report = Progress(
            step=self._number,
            id=name or status,
            action=status if name else "",
            current=int(detail.get("current") or 0),
            total=detail.get("total"),
        )
        if self._throttle.passes(report):
            yield report

    @property
    def _number(self) -> int | None:
        return len(self._steps) or None
