"""Instant answers: a build in which nothing has changed ends with the result it had the last time.

What counts as nothing changed, and what is never answered so, is in `docs/decisions/0011-instant-answers.md`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from shipway.context import dockerfile
from shipway.context.limits import MIB
from shipway.exceptions import JobError
from shipway.models.credentials import Credentials, RegistryLogin
from shipway.models.event import Step
from shipway.models.job import Job, JobState, PushedReference
from shipway.models.reference import Reference
from shipway.models.spec import Builder, BuildSpec
from workers.engine import BuildOutcome, BuildSources
from workers.parts import Parts
from workers.patience import patiently
from workers.retagging import CannotRetag

log = structlog.get_logger(__name__)

_NOT_ASKED = {"worker", "timeout", "priority", "tags", "push", "no_cache", "pull"}
"""Fields of a spec that do not decide what the image is."""
MAX_DOCKERFILE = MIB
"""Bytes of a Dockerfile that is looked into."""
MAX_NAMED = 100
"""Images that a Dockerfile may name for it to be looked at which they are. A build of more is never remembered."""
_METADATA = re.compile(r"\[internal\] load metadata for (\S+)")
"""How BuildKit tells which image it looks up for a FROM, a COPY --from or a mount."""
_REPEATABLE = re.compile(
    r"\[internal\] (load (build definition|remote build context|build context|\.dockerignore|metadata for)"
    r"|preparing inline document)"
    r"|(importing cache manifest from|exporting (to image|cache|layers)|preparing layers for inline cache)"
    r"|\[[^\]]*\d+/\d+\] (FROM|RUN|COPY|WORKDIR) "
    r"|\[auth\] "
)
"""The beginnings of steps that depend on nothing but the spec, the context and the base images. ADD may fetch."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is true now of the image that an earlier job made.

    Attributes:
        here: whether this worker's daemon has its image. If not, its registry has it under every name asked for.
        untouched: whether the daemon has no name now that it did not have before.
        pushed: what the registries were seen to have just now.
    """

    here: bool
    untouched: bool
    pushed: tuple[PushedReference, ...]


class Instant:
    """Looks for an answer to one build before it runs, and keeps its own for the next one."""

    def __init__(self, parts: Parts, job: Job, spec: BuildSpec) -> None:
        self._parts = parts
        self._job = job
        self._spec = spec
        self._logins: Mapping[str, RegistryLogin] = {}
        self._before: Mapping[str, str] = {}

    async def earlier(self) -> Job | None:
        """The last job that came to its end with the same to do, or None."""
        if not self._answerable or self._spec.no_cache or self._spec.pull:
            return None
        try:
            question = await self._question()
        except JobError:  # the build itself meets it again and tells of it
            return None
        job_id = await patiently(lambda: self._parts.answers.recall(self._job.project, question))
        job = await patiently(lambda: self._parts.jobs.get(job_id)) if job_id else None
        return job if job is not None and job.state is JobState.SUCCEEDED and job.result.image_id else None

    async def answer(self, earlier: Job, credentials: Credentials) -> Answer | None:
        """Take over the result of an earlier job, or return None when anything may be different now.

        An image that is here has its names when this returns.
        """
        self._logins = credentials.registries
        try:
            image, tags = earlier.result.image_id or "", self._spec.tags
            ids, pushed = await asyncio.gather(
                self._ids({image, *tags, *_looked_up(earlier.steps)}), self._still_pushed(image)
            )
            if not await self._same_bases(earlier, ids):
                return None
            here, new = image in ids, [tag for tag in tags if ids.get(tag) != image]
            pushed = await self._retagged(earlier, pushed, here=here)
            if here:
                for tag in new:
                    await self._parts.engine.images.tag(image, tag)
        except JobError:  # whatever it is, as above
            return None
        return Answer(here, not (here and new), pushed) if here or self._needs_no_daemon(pushed) else None

    async def leader(self) -> str | None:
        """The job that runs the same build just now; None when it is this one's turn to run it.

        Nobody waits twice: a job whose end brought no answer for this one would bring none the next time either.
        """
        if not self._answerable or self._spec.no_cache or self._spec.pull or await self._waited():
            return None
        question, job = await self._question(), self._job
        leader = await patiently(lambda: self._parts.flights.fly(job.project, question, job.id))
        here = self._parts.settings.worker_name
        return leader.job if leader is not None and (self._spec.worker is None or leader.worker == here) else None

    async def _waited(self) -> bool:
        """Whether a job of the same build came to its own end while this one waited for it."""
        waited_for = self._job.waited_for
        other = await patiently(lambda: self._parts.jobs.get(waited_for)) if waited_for else None
        return other is not None and other.state in (JobState.SUCCEEDED, JobState.FAILED)

    async def forget(self) -> None:
        """Let no earlier job answer this build any more: it is about to be built anew."""
        if self._answerable:
            question = await self._question()
            await patiently(lambda: self._parts.answers.forget(self._job.project, question))

    async def look(self, sources: BuildSources) -> None:
        """See what the images are that the Dockerfile names, before it is built."""
        if self._answerable:
            text = await sources.of_dockerfile.content(self._spec.dockerfile, MAX_DOCKERFILE)
            images = dockerfile.images(text.decode(errors="replace"), self._spec.build_args)
            named = [str(image) for image in images if image.digest is None]
            self._before = await self._ids(named) if len(named) <= MAX_NAMED else {}

    async def bases(self, outcome: BuildOutcome) -> dict[str, str]:
        """The base images and what they were: digests in registries, ids of images that the daemon had itself.

        An id counts only if the daemon had it under this name before the build and after it.
        """
        local = _looked_up(outcome.steps) - _by_tag(outcome.bases).keys()
        after = await self._ids(local & self._before.keys())
        return outcome.bases | {tag: image for tag, image in after.items() if image == self._before[tag]}

    async def remember(self, steps: Iterable[Step], bases: Mapping[str, str]) -> None:
        """Let the same build be answered by this job from now on, if it can be repeated at all."""
        steps = tuple(steps)
        repeatable = steps and all(_REPEATABLE.match(step.name) for step in steps)
        if self._answerable and repeatable and _looked_up(steps) <= _by_tag(bases).keys() and not _mixed(steps):
            question = await self._question()
            await patiently(lambda: self._parts.answers.remember(self._job.project, question, self._job.id))

    @property
    def _answerable(self) -> bool:
        """Whether everything that decides the image is in the spec, the context and the trace of the builder."""
        spec = self._spec
        return spec.builder is Builder.BUILDKIT and spec.remote is None and not spec.secrets

    async def _question(self) -> str:
        asked = self._spec.model_dump_json(exclude=_NOT_ASKED)
        return hashlib.sha256(f"{await self._parts.engine.platform()}\0{asked}".encode()).hexdigest()

    async def _same_bases(self, earlier: Job, ids: Mapping[str, str]) -> bool:
        """Whether a FROM gets now what it got then: the daemon's own image first, as BuildKit does it."""
        was, tags = _by_tag(earlier.result.bases), sorted(_looked_up(earlier.steps))
        if any(tag in ids and ids[tag] != was.get(tag) for tag in tags):
            return False
        elsewhere = [tag for tag in tags if tag not in ids]
        now = await asyncio.gather(*map(self._registered, elsewhere))
        return all(was.get(tag) == what for tag, what in zip(elsewhere, now, strict=True))

    def _needs_no_daemon(self, pushed: Iterable[PushedReference]) -> bool:
        """Whether all that is asked for is in registries already."""
        spec = self._spec
        return spec.push and spec.worker is None and {done.reference for done in pushed} == set(spec.tags)

    async def _still_pushed(self, image: str) -> tuple[PushedReference, ...]:
        """The names asked for by which this project has pushed the image, and their registries still have it."""
        if not self._spec.push:
            return ()
        project, tags = self._job.project, self._spec.tags
        was = await patiently(lambda: self._parts.answers.pushed(project, image, tags))
        now = await asyncio.gather(*map(self._registered, was), return_exceptions=True)
        same = [name for name, digest in zip(was, now, strict=True) if was[name] == digest]
        return tuple(PushedReference(reference=name, digest=was[name]) for name in same)

    async def _retagged(
        self, earlier: Job, pushed: tuple[PushedReference, ...], *, here: bool
    ) -> tuple[PushedReference, ...]:
        """Have registries give the image those names asked for whose repository has it by another one.

        Returns all that they have then, in the order asked for. Nothing is done unless the job ends with it: the image
        is here, or no daemon is needed then.
        """
        has = {Reference.parse(done.reference).name: done.digest for done in earlier.result.pushed if done.digest}
        there = {done.reference: done for done in pushed}
        lacking = {tag: has.get(Reference.parse(tag).name) for tag in self._spec.tags if tag not in there}
        if not self._spec.push or not (here or (self._spec.worker is None and all(lacking.values()))):
            return pushed
        done = await asyncio.gather(*(self._retag(earlier, tag, digest) for tag, digest in lacking.items() if digest))
        there |= {new.reference: new for new in done if new is not None}
        return tuple(there[tag] for tag in self._spec.tags if tag in there)

    async def _retag(self, earlier: Job, tag: str, digest: str) -> PushedReference | None:
        name = Reference.parse(tag)
        try:
            await self._parts.retagging.retag(name, digest, self._logins.get(name.domain))
        except CannotRetag as why:
            log.info("a daemon has to push", tag=tag, why=str(why))
            return None
        image, project = earlier.result.image_id or "", self._job.project
        await patiently(lambda: self._parts.answers.note_pushed(project, image, tag, digest))
        return PushedReference(reference=tag, digest=digest)

    async def _registered(self, name: str) -> str:
        return await self._parts.engine.registered(name, self._logins.get(Reference.parse(name).domain))

    async def _ids(self, names: Iterable[str]) -> dict[str, str]:
        """The ids of those images that the daemon has, by the names that were asked for."""
        asked = list(names)
        found = await asyncio.gather(*map(self._parts.engine.images.find, asked))
        return {name: image.id for name, image in zip(asked, found, strict=True) if image is not None}


def _looked_up(steps: Iterable[Step]) -> set[str]:
    """The images that a build looked up by tag. One that is named by its digest never changes."""
    return {str(reference) for reference in _references(steps) if reference.digest is None}


def _mixed(steps: Iterable[Step]) -> bool:
    """Whether a repository is named with a digest and without: its steps don't tell which was which."""
    references = _references(steps)
    return bool({r.name for r in references if r.digest} & {r.name for r in references if not r.digest})


def _references(steps: Iterable[Step]) -> list[Reference]:
    return [Reference.parse(match[1]) for step in steps if (match := _METADATA.match(step.name))]


def _by_tag(bases: Mapping[str, str]) -> dict[str, str]:
    """What is known of each base by its tag, however the builder wrote its name."""
    return {str(Reference.parse(name)): what for name, what in bases.items()}
