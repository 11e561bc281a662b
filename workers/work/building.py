"""A build: get the files ready, build, tag, push."""

from __future__ import annotations

import asyncio
import hashlib
import time

from shipway.context.source import ContextSource
from shipway.exceptions import JobError
from shipway.models.credentials import Credentials
from shipway.models.event import Answered, Pushed, Step, StepChanged, StepStatus, Warned
from shipway.models.job import Job, cache_hit_ratio, counted_steps
from shipway.models.reference import Reference
from shipway.models.spec import Builder, BuildSpec
from shipway.storage.lineages import Left
from workers import metrics
from workers.engine import BuildOutcome, BuildSources
from workers.fingerprints import fingerprints
from workers.forwarding import forwarded
from workers.patience import patiently
from workers.work.base import GivesWay, Work
from workers.work.instant import Instant

INLINE_CACHE = "BUILDKIT_INLINE_CACHE"
"""The build argument that makes BuildKit describe the steps of an image inside it, for `cache_from`."""


class Building(Work[BuildSpec]):
    """One attempt at a build."""

    async def run(self) -> None:
        instant = Instant(self.parts, self.job, self.spec)
        credentials, earlier = await asyncio.gather(self.credentials(), instant.earlier())
        if not await self._answered(instant, earlier, credentials):
            await self._give_way(instant)
            image = await self._built_before() or await self._build(instant, credentials)
            await self.tag(image, self.spec.tags)
        if self.spec.push:
            await self.push(self.spec.tags, credentials)
            await self._leave_steps()
        if self.result.answered_from is None:
            await instant.remember(self.recorder.steps, self.result.bases)

    async def _give_way(self, instant: Instant) -> None:
        """Leave a build to the job that runs it already; an image that is built only has to be pushed."""
        if self.result.image_id is None and (leader := await instant.leader()) is not None:
            metrics.JOINED.inc()
            raise GivesWay(leader)

    async def _answered(self, instant: Instant, earlier: Job | None, credentials: Credentials) -> bool:
        """Take over the result of an earlier job if this build would come to the same."""
        if earlier is None or self.result.image_id is not None:
            return False
        answer = await instant.answer(earlier, credentials)
        if answer is None:
            return False
        await self.recorder(Answered(job=earlier.id))
        for step in earlier.steps:
            repeated = step.model_copy(update={"status": StepStatus.CACHED, "started": None, "completed": None})
            await self.recorder(StepChanged(step=repeated))
        for done in answer.pushed:
            await self.recorder(Pushed(reference=done.reference, digest=done.digest or ""))
        self.untouched = answer.untouched
        self.reach(
            image_id=earlier.result.image_id,
            built_on=self.parts.settings.worker_name if answer.here else None,
            pushed=answer.pushed,
            bases=earlier.result.bases,
            answered_from=earlier.id,
            seconds_saved=await self._saved(),
        )
        metrics.ANSWERS.inc()
        self._count_steps()
        return True

    async def _built_before(self) -> str | None:
        """The image that an earlier attempt built on this very daemon: only its push is left to do."""
        image = self.result.image_id
        if image is None or self.result.built_on != self.parts.settings.worker_name:
            return None
        return image if await self.parts.engine.images.exists(image) else None

    async def _build(self, instant: Instant, credentials: Credentials) -> str:
        getting_ready = asyncio.create_task(self._ready(instant, credentials))
        try:
            if not self._overlaps:
                await getting_ready
            async with self.phase("build"):
                outcome = await self._measured(getting_ready, credentials)
        except JobError:
            if getting_ready.done():
                getting_ready.result()  # raises what the daemon could only say in its words
            raise
        finally:
            getting_ready.cancel()
            await asyncio.gather(getting_ready, return_exceptions=True)
            self.parts.content.close()
        bases, saved, compared = await asyncio.gather(
            instant.bases(outcome), self._saved(), self._compared(outcome.steps, getting_ready.result())
        )
        await self.note(
            image_id=outcome.image_id,
            built_on=self.parts.settings.worker_name,
            bases=bases,
            answered_from=None,
            context_sent=outcome.context_sent,
            context_spared=outcome.context_spared,
            seconds_saved=saved,
            **compared,
        )
        return outcome.image_id

    @property
    def _overlaps(self) -> bool:
        """Whether the daemon is asked to build while the files are got ready; what comes from a URL may take long."""
        return self.spec.builder is Builder.BUILDKIT and self.spec.remote is None

    async def _ready(self, instant: Instant, credentials: Credentials) -> BuildSources:
        """All that has to be done before the builder sees the first file."""
        await instant.forget()
        async with self.phase("fetch"):
            sources = await self._sources()
        metrics.FETCH_SECONDS.observe(self.phases["fetch"])
        await self._pull_cache(credentials)
        await instant.look(sources)
        return sources

    async def _compared(self, steps: tuple[Step, ...], sources: BuildSources) -> dict[str, object]:
        """Tell which worker had how many of the steps, then that this one has them all.

        The classic builder does not tell which step builds upon which.
        """
        if self.spec.builder is not Builder.BUILDKIT:
            return {}
        counted, name = counted_steps(steps), self.parts.settings.worker_name
        named = fingerprints(steps, self.spec.build_args, sources.context.manifest)
        own = {named[step.number] for step in counted}
        had = await patiently(lambda: self.parts.steps.had(self.job.project, self.spec, own))
        await patiently(lambda: self.parts.steps.add(self.job.project, self.spec, name, own))
        cached = sum(step.status is StepStatus.CACHED for step in counted)
        best = max((count for worker, count in had.items() if worker != name), default=0)
        regret = max(0, best - cached)
        metrics.REGRET.inc(regret)
        return {"had": had, "regret": regret}

    async def _pull_cache(self, credentials: Credentials) -> None:
        """Get the images of `cache_from`: the classic builder looks at those on its daemon only.

        As with BuildKit, one that can't be had costs cached steps, not the build.
        """
        if self.spec.builder is not Builder.CLASSIC:
            return
        for image in self.spec.cache_from:
            try:
                await self.have(image, credentials)
            except JobError as fault:
                await self.recorder(Warned(message=f"no cached steps from {image}: {fault.message}"))

    async def _sources(self) -> BuildSources:
        spec = self.spec
        named = {name: await self._opened(digest) for name, digest in spec.uploaded_contexts.items()}
        dockerfile: ContextSource | None = None
        if spec.remote is not None:
            context, dockerfile = await self.parts.content.remote(self.job.project).context(
                spec.remote, spec.dockerfile
            )
        elif spec.context is not None:
            context = await self._opened(spec.context)
        if dockerfile is None and spec.dockerfile_context is not None:
            dockerfile = await self._opened(spec.dockerfile_context)
        return BuildSources(context, dockerfile, named)

    async def _opened(self, digest: str) -> ContextSource:
        return await self.parts.content.source(self.job.project, digest)

    async def _measured(self, sources: asyncio.Task[BuildSources], credentials: Credentials) -> BuildOutcome:
        began = time.monotonic()
        result = "cancelled"
        try:
            outcome = await self.parts.engine.build(
                await self._sharing_steps(),
                sources,
                credentials,
                self.recorder,
                build_id=f"{self.job.id}-{self.attempt}",
                shared_key=self._shared_key(),
                agents=forwarded(self.parts.agents, self.job.id, self.spec.agents),
            )
            result = "succeeded"
        except JobError as fault:
            judged = self.judged(fault)
            result = judged.slug
            if judged is fault:
                raise
            raise judged from fault
        finally:
            metrics.BUILD_SECONDS.labels(self.spec.builder, result).observe(time.monotonic() - began)
            self._count_steps()
        metrics.CONTEXT_SENT.inc(outcome.context_sent)
        metrics.CONTEXT_SPARED.inc(outcome.context_spared)
        return outcome

    async def _sharing_steps(self) -> BuildSpec:
        """The spec for a daemon that need not be warm: what is pushed tells of its steps, and is where others' are."""
        spec = self.spec
        if not spec.push or spec.builder is not Builder.BUILDKIT:
            return spec
        last = await patiently(lambda: self.parts.lineages.last(self.job.project, spec))
        elsewhere = last is not None and last.worker != self.parts.settings.worker_name
        return spec.model_copy(
            update={
                "build_args": {INLINE_CACHE: "1"} | spec.build_args,
                "cache_from": (*spec.cache_from, *([last.reference] if last is not None and elsewhere else [])),
            }
        )

    async def _leave_steps(self) -> None:
        """Remember where the steps of this build are, for workers that have none of them."""
        if self.result.built_on is not None and self.spec.builder is Builder.BUILDKIT:
            left = Left(self.result.built_on, self.spec.tags[0])
            await patiently(lambda: self.parts.lineages.leave(self.job.project, self.spec, left))

    async def _saved(self) -> float | None:
        """What the cached steps took when they last ran; unknown without a name, for such builds may be of anything."""
        if not self.spec.tags:
            return None
        steps = self.recorder.steps
        return await patiently(lambda: self.parts.lineages.saved(self.job.project, self.spec, steps))

    def _count_steps(self) -> None:
        steps = self.recorder.steps
        for step in counted_steps(steps):
            metrics.STEPS.labels(self.spec.builder, step.status).inc()
        ratio = cache_hit_ratio(steps)
        if ratio is not None:
            metrics.HIT_RATIO.labels(self.spec.builder).observe(ratio)

    def _shared_key(self) -> str:
        """Names the copy of the context that the daemon keeps: builds of one image share it, projects don't."""
        image = Reference.parse(self.spec.tags[0]).name if self.spec.tags else ""
        parts = (self.job.project, image, self.spec.dockerfile)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()
