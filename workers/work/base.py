"""What all work has in common: a spec, phases whose length is recorded, a result that grows, and pushing."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import stamina

from shipway.exceptions import BuildSystemError, BuildUserError, JobError
from shipway.models.credentials import Credentials
from shipway.models.error import Problem
from shipway.models.event import EventBody, LogChunk, Progress, Pushed, Warned
from shipway.models.job import PushedReference, Result
from shipway.models.reference import Reference
from shipway.models.spec import IMAGE_ID, Frozen
from shipway.storage.jobs import Claim
from workers import metrics
from workers.logins import own_logins
from workers.parts import Parts
from workers.patience import patiently
from workers.recorder import Recorder
from workers.signing import sign
from workers.tracing import Phase

S = TypeVar("S", bound=Frozen)

PUSH_SECONDS = 180.0
"""How long a push that fails for the registry's sake is tried again: long enough for an outage of a minute."""
NO_SPACE = "No space left on device"
"""What the C library says for ENOSPC, and with it nearly every program."""
RIDDEN_OUT = frozenset({"registry-unreachable", "registry-error", "push-stream-ended", "digest-mismatch"})
"""Faults that are the registry's or pass by themselves; a daemon that is gone is another attempt's affair."""


class GivesWay(Exception):
    """Another job does the same already: this attempt ends, and the next one begins when that job has stopped."""

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job


class _Meter:
    """Counts the bytes that a push sends, on the way to the recorder."""

    def __init__(self, sink: Recorder) -> None:
        self._sink = sink
        self._layers: dict[str, int] = {}

    @property
    def bytes(self) -> int:
        return sum(self._layers.values())

    async def __call__(self, body: EventBody) -> None:
        if isinstance(body, Progress) and body.action == "Pushing":
            self._layers[body.id] = max(body.current, self._layers.get(body.id, 0))
        await self._sink(body)


class Work(ABC, Generic[S]):
    """One attempt at one job.

    Attributes:
        untouched: whether the daemon has the same images and names as before.

    Raises from `run`:
        BuildUserError: what the user sent is at fault.
        BuildSystemError: daemon, registry or store are at fault.
        Fenced: another attempt runs.
        GivesWay: another job does the same already.
    """

    spec: S

    def __init__(self, parts: Parts, claim: Claim, recorder: Recorder) -> None:
        self.parts = parts
        self.job = claim.job
        self.attempt = claim.attempt
        spec: Any = claim.job.spec
        self.spec = spec
        self.recorder = recorder
        self.result = claim.job.result
        self.untouched = False
        self.phases: dict[str, float] = {}
        self.went_through: list[Phase] = []

    @abstractmethod
    async def run(self) -> None:
        """Do it, phase by phase."""

    async def credentials(self) -> Credentials:
        """The job's secrets, and logins: those that travel with it, else its project's, else this worker's own.

        From now on none of them shows in what the job reports.
        """
        sealed, of_project = await asyncio.gather(
            self.parts.jobs.credentials(self.job.id), self.parts.logins.all(self.job.project)
        )
        brought = self.parts.sealer.unseal(sealed)
        own = await own_logins(self.parts.settings.worker_docker_config, known=brought.registries.keys() | of_project)
        credentials = brought.model_copy(update={"registries": own | of_project | brought.registries})
        self.recorder.conceal(credentials)
        return credentials

    def reach(self, **reached: Any) -> None:
        """Take down what was reached; the next `note` records it, or else the end of the job."""
        self.result = Result.model_validate(self.result.model_dump() | reached)

    async def note(self, **reached: Any) -> None:
        """Record what was reached, and wait until that is stored: a later attempt builds upon it."""
        self.reach(**reached)
        self.recorder.note(self.result, self.phases)
        await self.recorder.flush()

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        """Measure a phase."""
        began, at = time.monotonic(), time.time()
        try:
            yield
        finally:
            took = time.monotonic() - began
            self.phases[name] = round(took, 4)
            self.went_through.append(Phase(name, at, at + took))

    def judged(self, fault: JobError) -> JobError:
        """A full disk under the daemon looks like a failing command: only the command's own words tell."""
        if fault.slug in ("step-failed", "command-failed") and NO_SPACE in self.recorder.last_words:
            return BuildSystemError(f"{NO_SPACE}: {fault.message}", slug="disk-full", step=fault.step)
        return fault

    async def have(self, image: str, credentials: Credentials) -> None:
        """Pull an image that this worker hasn't got, as `docker run` does.

        Raises:
            BuildUserError: there is none of that id (`image-missing`), or as `Images.pull`.
        """
        images = self.parts.engine.images
        if await images.exists(image):
            return
        if IMAGE_ID.fullmatch(image):
            raise BuildUserError(f"this worker has no image {image}", slug="image-missing")
        async with self.phase("pull"):
            login = credentials.registries.get(Reference.parse(image).domain)
            await images.pull(image, login, None, self.recorder)

    async def tag(self, image: str, tags: Sequence[str]) -> None:
        """Give an image its names."""
        for tag in tags:
            await self.parts.engine.images.tag(image, tag)

    async def push(self, tags: Sequence[str], credentials: Credentials) -> None:
        """Push every name; each has its own result. What an earlier attempt pushed is not pushed again.

        Raises:
            JobError: the first failure, after all were tried.
        """
        failure: JobError | None = None
        pushed = {done.reference: done for done in self.result.pushed if done.digest}
        async with self.phase("push"):
            for tag in tags:
                if tag in pushed:
                    continue
                try:
                    pushed[tag] = PushedReference(reference=tag, digest=await self._push(tag, credentials))
                except JobError as fault:
                    failure = failure or fault
                    pushed[tag] = PushedReference(reference=tag, error=self.recorder.concealed(Problem.of(fault)))
                await self.note(pushed=tuple(pushed.values()))
        if failure is not None:
            raise failure

    async def _push(self, tag: str, credentials: Credentials) -> str:
        began = time.monotonic()
        outcome = "cancelled"
        login = credentials.registries.get(Reference.parse(tag).domain)
        try:
            meter = _Meter(self.recorder)
            digest = await self._pushed(tag, lambda: self.parts.engine.push(tag, login, meter))
            await self._sign(tag, digest)
            outcome = "succeeded"
            metrics.PUSH_BYTES.inc(meter.bytes)
        except JobError as fault:
            outcome = fault.slug
            raise
        finally:
            metrics.PUSH_SECONDS.labels(outcome).observe(time.monotonic() - began)
        if (image := self.result.image_id) is not None:
            await patiently(lambda: self.parts.answers.note_pushed(self.job.project, image, tag, digest))
        await self.recorder(Pushed(reference=tag, digest=digest))
        return digest

    async def _sign(self, tag: str, digest: str) -> None:
        settings = self.parts.settings
        if settings.worker_signer is not None:
            image = f"{Reference.parse(tag).name}@{digest}"
            told = await sign(settings.worker_signer, image, settings.worker_signer_timeout)
            await self.recorder(LogChunk(text=told or f"signed {image}\n"))

    async def _pushed(self, tag: str, push: Any) -> str:
        why = ""
        async for attempt in stamina.retry_context(
            on=_passes, attempts=None, timeout=PUSH_SECONDS, wait_initial=0.5, wait_max=5
        ):
            with attempt:
                if attempt.num > 1:
                    await self.recorder(Warned(message=f"pushing {tag} again, try {attempt.num}: {why}"))
                try:
                    digest: str = await push()
                except BuildSystemError as fault:
                    why = fault.message
                    raise
        return digest


def _passes(fault: Exception) -> bool:
    """Whether a push that failed so may go well in a while."""
    return isinstance(fault, BuildSystemError) and fault.slug in RIDDEN_OUT
