"""The phases of a build: fetch the context, build, tag, push. Each one's length is recorded."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import stamina

from shipway.exceptions import BuildSystemError, JobError
from shipway.models.event import Pushed, StepStatus, Warned
from shipway.models.job import PushedReference, Result, cache_hit_ratio
from shipway.models.reference import Reference
from shipway.models.spec import Credentials
from shipway.storage.jobs import Claim
from workers import metrics
from workers.engine import BuildOutcome, BuildSources
from workers.parts import Parts
from workers.recorder import Recorder

PUSH_ATTEMPTS = 4


class Building:
    """One attempt at a build."""

    def __init__(self, parts: Parts, claim: Claim, recorder: Recorder) -> None:
        self._parts = parts
        self._claim = claim
        self._job = claim.job
        self._spec = claim.job.spec
        self._recorder = recorder
        self._phases: dict[str, float] = {}

    async def run(self) -> None:
        """Go through the phases.

        Raises:
            BuildUserError: the user's files, names or credentials are at fault.
            BuildSystemError: daemon, registry or store are at fault.
            Fenced: another attempt runs.
        """
        credentials = self._parts.sealer.unseal(await self._parts.jobs.credentials(self._job.id))
        try:
            async with self._phase("fetch"):
                sources = await self._sources()
            metrics.FETCH_SECONDS.observe(self._phases["fetch"])
            async with self._phase("build"):
                outcome = await self._build(sources, credentials)
        finally:
            self._parts.content.close()
        result = Result(
            image_id=outcome.image_id,
            bases=outcome.bases,
            context_sent=outcome.context_sent,
            context_spared=outcome.context_spared,
        )
        await self._note(result)
        for tag in self._spec.tags:
            await self._parts.engine.tag(outcome.image_id, tag)
        if self._spec.push:
            async with self._phase("push"):
                for tag in self._spec.tags:
                    digest = await self._push(tag, credentials)
                    reached = PushedReference(reference=tag, digest=digest)
                    result = result.model_copy(update={"pushed": (*result.pushed, reached)})
                    await self._note(result)
        await self._note(result)

    async def _sources(self) -> BuildSources:
        content, project = self._parts.content, self._job.project
        return BuildSources(
            context=await content.source(project, self._spec.context),
            dockerfile=await content.source(project, self._spec.dockerfile_context)
            if self._spec.dockerfile_context
            else None,
        )

    async def _build(self, sources: BuildSources, credentials: Credentials) -> BuildOutcome:
        began = time.monotonic()
        result = "cancelled"
        try:
            outcome = await self._parts.engine.build(
                self._spec,
                sources,
                credentials,
                self._recorder,
                build_id=f"{self._job.id}-{self._claim.attempt}",
                shared_key=self._shared_key(),
            )
            result = "succeeded"
        except JobError as fault:
            result = fault.slug
            raise
        finally:
            metrics.BUILD_SECONDS.labels(self._spec.builder, result).observe(time.monotonic() - began)
            self._count_steps()
        metrics.CONTEXT_SENT.inc(outcome.context_sent)
        metrics.CONTEXT_SPARED.inc(outcome.context_spared)
        return outcome

    def _count_steps(self) -> None:
        steps = self._recorder.steps
        for step in steps:
            if not step.internal and step.status is not StepStatus.RUNNING:
                metrics.STEPS.labels(self._spec.builder, step.status).inc()
        ratio = cache_hit_ratio(steps)
        if ratio is not None:
            metrics.HIT_RATIO.labels(self._spec.builder).observe(ratio)

    def _shared_key(self) -> str:
        """Names the copy of the context that the daemon keeps: builds of one kind share it, projects don't."""
        image = Reference.parse(self._spec.tags[0]).name if self._spec.tags else ""
        parts = (self._job.project, image, self._spec.dockerfile)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    async def _push(self, tag: str, credentials: Credentials) -> str:
        began = time.monotonic()
        result = "cancelled"
        login = credentials.registries.get(Reference.parse(tag).domain)
        try:
            async for attempt in stamina.retry_context(on=_retryable, attempts=PUSH_ATTEMPTS, timeout=120):
                with attempt:
                    if attempt.num > 1:
                        await self._recorder(Warned(message=f"pushing {tag} again, try {attempt.num}"))
                    digest = await self._parts.engine.push(tag, login, self._recorder)
            result = "succeeded"
        except JobError as fault:
            result = fault.slug
            raise
        finally:
            metrics.PUSH_SECONDS.labels(result).observe(time.monotonic() - began)
        await self._recorder(Pushed(reference=tag, digest=digest))
        return digest

    async def _note(self, result: Result) -> None:
        await self._recorder.note(result, self._phases)

    @asynccontextmanager
    async def _phase(self, name: str) -> AsyncIterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._phases[name] = round(time.monotonic() - began, 4)


def _retryable(fault: Exception) -> bool:
    return isinstance(fault, BuildSystemError)
