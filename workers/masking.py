"""Takes secret values out of what a job reports.

A step may print what it was given. Masking keeps mistakes out of logs; it can't stop whoever writes the Dockerfile from
printing a secret in another shape.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator

from shipway.models.credentials import Credentials
from shipway.models.error import Problem
from shipway.models.event import EventBody, LogChunk, Progress, StepChanged, StepStatus, Warned

MASK = "***"
SHORTEST = 4
"""Characters of a value that is masked; shorter ones would take half of every log with them."""
SHORTEST_ENCODED = 8
Place = tuple[int | None, str]
"""What text belongs together: a step and one of its streams."""


class Mask:
    """Masks texts, and the output of steps though it comes in pieces."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = sorted({value for value in values if len(value) >= SHORTEST}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._values))) if self._values else None
        self._held: dict[Place, LogChunk] = {}

    @classmethod
    def of(cls, credentials: Credentials) -> Mask:
        """Mask the secrets and passwords that travel with a job, line by line, plain and as base64."""
        values = [base64.b64decode(value) for value in credentials.secrets.values()]
        for login in credentials.registries.values():
            values += [login.password.encode(), f"{login.username}:{login.password}".encode()]
        return cls(form for value in values for form in _forms(value))

    def text(self, text: str) -> str:
        """Mask a text that is whole."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def problem(self, problem: Problem) -> Problem:
        """Mask what an error says."""
        step = problem.step and self.text(problem.step)
        return problem.model_copy(update={"message": self.text(problem.message), "step": step})

    def event(self, body: EventBody) -> Iterator[EventBody]:
        """Yield what may be told now. An output's end that may be the beginning of a value waits for what follows."""
        if self._pattern is None:
            yield body
        elif isinstance(body, LogChunk):
            yield from self._output(body)
        elif isinstance(body, StepChanged):
            step = body.step
            if step.status is not StepStatus.RUNNING:
                yield from self.rest(step.number)
            error = step.error and self.text(step.error)
            yield StepChanged(step=step.model_copy(update={"name": self.text(step.name), "error": error}))
        elif isinstance(body, Warned):
            yield body.model_copy(update={"message": self.text(body.message), "detail": self.text(body.detail)})
        elif isinstance(body, Progress):
            yield body.model_copy(update={"id": self.text(body.id), "action": self.text(body.action)})
        else:
            yield body

    def rest(self, step: int | None = None) -> Iterator[EventBody]:
        """Yield what still waits, of one step or (None) of all: nothing follows any more."""
        for place in [place for place in self._held if step in (None, place[0])]:
            held = self._held.pop(place)
            yield held.model_copy(update={"text": self.text(held.text)})

    def _output(self, body: LogChunk) -> Iterator[EventBody]:
        place = (body.step, body.stream)
        held = self._held.pop(place, None)
        text = (held.text if held else "") + body.text
        masked, sure = self._masked(text, len(text) - self._unsure(text))
        if sure < len(text):
            self._held[place] = body.model_copy(update={"text": text[sure:]})
        if masked:
            yield body.model_copy(update={"text": masked})

    def _masked(self, text: str, sure: int) -> tuple[str, int]:
        """Mask the first `sure` characters, and the rest of a value that begins in them; returns how many that were."""
        parts, done = [], 0
        for found in self._pattern.finditer(text) if self._pattern else ():
            if found.start() >= sure:
                break
            parts += [text[done : found.start()], MASK]
            done = found.end()
        sure = max(sure, done)
        return "".join([*parts, text[done:sure]]), sure

    def _unsure(self, text: str) -> int:
        """How many characters at the end may be the beginning of a value."""
        longest = 0
        for value in self._values:
            start = text.find(value[0], max(0, len(text) - len(value) + 1))
            while start >= 0 and len(text) - start > longest:
                if value.startswith(text[start:]):
                    longest = len(text) - start
                start = text.find(value[0], start + 1)
        return longest


def _forms(value: bytes) -> Iterator[str]:
    """A value as it may show in a log: its lines, and the parts of a base64 text that it alone decides."""
    yield from (line.strip() for line in value.decode(errors="ignore").splitlines())
    value = value.strip()
    if len(value) < SHORTEST_ENCODED:
        return
    for before in range(3):  # bytes that may stand before it in a group of three
        first, last = (0, 2, 3)[before], (len(value) + before) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + value).decode()[first:last]
