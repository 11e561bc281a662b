"""Records what happens to one attempt: events in batches, the record's fields with them, everything fenced."""

from __future__ import annotations

import asyncio
import time

from shipway.models.credentials import Credentials
from shipway.models.error import Problem
from shipway.models.event import EventBody, LogChunk, Progress, Step, StepChanged, StepStatus, Warned
from shipway.models.job import Result
from shipway.storage.jobs import Claim, JobStore, record_fields
from workers.masking import Mask
from workers.patience import patiently

FLUSH = 0.05
"""Seconds between two writes: an event that comes sooner after the last one waits for others to travel with."""
BATCH = 500
"""Events that travel at once."""
BUFFER = 20_000
"""Events held while earlier ones are being stored (or Redis is away), before the build has to wait."""

LAST_WORDS = 2000
"""Characters of log that are remembered, to tell what a step complained of."""


class Recorder:
    """The sink of one attempt's events. While Redis is away, events wait here.

    Raises from `__call__` and `flush`:
        Fenced: another attempt runs, or the job has ended.
    """

    def __init__(self, jobs: JobStore, claim: Claim, max_log_bytes: int) -> None:
        self._jobs = jobs
        self._claim = claim
        self._held: list[EventBody] = []
        self._fields: dict[str, str] = {}
        self._steps: dict[int, Step] = {}
        self._batch = 0
        self._log_left = max_log_bytes
        self._lock = asyncio.Lock()
        self._last_event = time.monotonic()
        self._writing = False
        self._come = asyncio.Event()
        self._last_words = ""
        self._mask = Mask()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far, by number."""
        return tuple(self._steps[number] for number in sorted(self._steps))

    @property
    def silence(self) -> float:
        """Seconds since the last event."""
        return time.monotonic() - self._last_event

    @property
    def last_words(self) -> str:
        """The end of what steps wrote, `LAST_WORDS` characters at most."""
        return self._last_words

    def conceal(self, credentials: Credentials) -> None:
        """From now on, mask these wherever they show."""
        self._mask = Mask.of(credentials)

    def concealed(self, problem: Problem) -> Problem:
        """Mask what an error says."""
        return self._mask.problem(problem)

    async def __call__(self, body: EventBody) -> None:
        """Take one event."""
        self._last_event = time.monotonic()
        for told in self._mask.event(body):
            await self._take(told)

    async def _take(self, body: EventBody) -> None:
        if isinstance(body, LogChunk):
            self._last_words = (self._last_words + body.text)[-LAST_WORDS:]
            limited = self._within_limit(body)
            if limited is None:
                return
            body = limited
        if isinstance(body, Progress):
            self._drop_older(body)
        self._hold(body)
        if len(self._held) >= (BUFFER if self._writing else BATCH):
            await self.flush()

    def note(self, result: Result, phases: dict[str, float]) -> None:
        """Record what was reached so far, with the next flush."""
        self._fields |= record_fields(result=result, phases=phases)

    async def flush(self) -> None:
        """Wait until what is held is stored. A caller that is cancelled leaves the write to finish."""
        await asyncio.shield(asyncio.ensure_future(self._flush()))

    def close_steps(self, status: StepStatus, at: float) -> None:
        """End every step that still runs: nobody will report on it any more."""
        for told in self._mask.rest():
            self._hold(told)
        for step in self.steps:
            if step.status is StepStatus.RUNNING:
                self._hold(StepChanged(step=step.model_copy(update={"status": status, "completed": at})))

    async def run(self) -> None:
        """Write events as they come, those that come close together as one, for as long as the attempt runs."""
        while True:
            await self._come.wait()
            self._come.clear()
            await self.flush()
            await asyncio.sleep(FLUSH)

    def _hold(self, body: EventBody) -> None:
        if isinstance(body, StepChanged):
            self._steps[body.step.number] = body.step
            self._fields |= record_fields(steps=self.steps)
        self._held.append(body)
        self._come.set()

    async def _flush(self) -> None:
        async with self._lock:
            held, self._held = self._held[:BATCH], self._held[BATCH:]
            fields, self._fields = self._fields, {}
            if not held and not fields:
                return
            self._batch += 1
            self._writing = True
            await patiently(lambda: self._jobs.append(self._claim, self._batch, held, fields))
            self._writing = False
        if self._held:
            await self._flush()

    def _within_limit(self, body: LogChunk) -> EventBody | None:
        if self._log_left <= 0:
            return None
        self._log_left -= len(body.text)
        if self._log_left > 0:
            return body
        return Warned(step=body.step, message="the log has reached its limit; the rest is left out")

    def _drop_older(self, body: Progress) -> None:
        last = self._held[-1] if self._held else None
        if isinstance(last, Progress) and (last.step, last.id) == (body.step, body.id):
            self._held.pop()
