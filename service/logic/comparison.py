"""Sets a build beside the one before it of the same lineage: which step first missed the cache, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from service.process import Process
from shipway.context.taking import Taking, instruction_of, takes_files
from shipway.models.context import Manifest
from shipway.models.event import Step, StepStatus
from shipway.models.job import Job, counted_steps
from shipway.models.reference import Reference
from shipway.models.spec import BuildSpec
from shipway.storage.redis import reaching_redis

MAX_SCAN = 500
"""Jobs of a project that are looked through for the build before."""
_PAGE = 50
_RAN = frozenset({StepStatus.CACHED, StepStatus.EXECUTED})


class Lineage(NamedTuple):
    """What builds have in common that are made of the same thing at different times."""

    repositories: frozenset[str]
    dockerfile: str
    target: str | None
    platform: str | None
    source: str


class Reason(NamedTuple):
    """Why a step missed the cache: a sentence, and what it speaks of one by one."""

    text: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A build and the one before it.

    Attributes:
        previous: the build before.
        first_miss: the first step that was not cached; None when all were.
        reasons: why that step missed, as far as the records tell.
    """

    previous: Job
    first_miss: Step | None
    reasons: tuple[Reason, ...]


def lineage(spec: BuildSpec) -> Lineage:
    """Tell what a build is a build of."""
    references = (Reference.parse(tag) for tag in spec.tags)
    return Lineage(
        frozenset(reference.name for reference in references),
        spec.dockerfile,
        spec.target,
        spec.platform,
        (spec.remote or "").partition("#")[0],
    )


async def compare(process: Process, job: Job) -> Comparison | None:
    """Compare a build with the one before it; None when there is none, or nothing to compare yet.

    Raises:
        Unavailable: Redis or the object store is away.
    """
    if not isinstance(job.spec, BuildSpec) or not counted_steps(job.steps):
        return None
    previous = await _previous(process, job, lineage(job.spec))
    if previous is None or not isinstance(previous.spec, BuildSpec):
        return None
    miss = first_miss(job.steps)
    if miss is None:
        return Comparison(previous, None, ())
    then, now = await _manifest(process, previous), await _manifest(process, job)
    return Comparison(previous, miss, reasons(previous, job, miss, changed_files(then, now)))


def first_miss(steps: tuple[Step, ...]) -> Step | None:
    """The first step that was not cached and builds upon none that wasn't."""
    misses = [step for step in counted_steps(steps) if step.status is not StepStatus.CACHED]
    numbers = {step.number for step in misses}
    return next((step for step in misses if numbers.isdisjoint(step.inputs)), None)


def reasons(previous: Job, job: Job, miss: Step, files: dict[str, str]) -> tuple[Reason, ...]:
    """Why a step missed the cache that the build before left behind.

    Args:
        previous: the build before.
        job: the build in question.
        miss: its first step that missed.
        files: what became of which file between the two, as `changed_files` tells.
    """
    if getattr(job.spec, "no_cache", False):
        return (Reason("The build was told to use no cache."),)
    instruction = instruction_of(miss.name)
    found = [*_changed_bases(previous, job)]
    if not takes_files(instruction):
        found += _changed_arguments(previous, job)
    if instruction not in {instruction_of(step.name) for step in previous.steps}:
        found.append(Reason("The build before had no such instruction: it is new, or was changed."))
    taken = Taking(instruction)
    copied = tuple(f"{path} {fate}" for path, fate in files.items() if path in taken)
    if copied:
        found.append(Reason(f"{len(copied)} of the files it copies changed:", copied))
    if previous.worker != job.worker:
        found.append(Reason(f"It ran on {job.worker}; the build before ran on {previous.worker}, with its own cache."))
    return tuple(found) or (_unexplained(previous, instruction),)


def changed_files(then: Manifest | None, now: Manifest | None) -> dict[str, str]:
    """What became of which path between two contexts; nothing when one of them is gone."""
    if then is None or now is None:
        return {}
    fates: dict[str, str] = {}
    for entry in now:
        before = then.get(entry.path)
        if before is None:
            fates[entry.path] = "is new"
        elif (before.digest, before.link, before.mode) != (entry.digest, entry.link, entry.mode):
            fates[entry.path] = "changed"
    return fates | {entry.path: "is gone" for entry in then if now.get(entry.path) is None}


def _changed_bases(previous: Job, job: Job) -> Iterator[Reason]:
    before, after = previous.result.bases, job.result.bases
    moved = tuple(name for name, digest in after.items() if before.get(name, digest) != digest)
    if moved:
        yield Reason("Its base image is another one now:", moved)


def _changed_arguments(previous: Job, job: Job) -> Iterator[Reason]:
    before, after = getattr(previous.spec, "build_args", {}), getattr(job.spec, "build_args", {})
    changed = tuple(sorted(name for name in before | after if before.get(name) != after.get(name)))
    if changed:
        yield Reason("Build arguments changed:", changed)


def _unexplained(previous: Job, instruction: str) -> Reason:
    ran = {instruction_of(step.name) for step in previous.steps if step.status in _RAN}
    if instruction not in ran:
        return Reason("The build before did not get past this step.")
    return Reason("Nothing on record explains it; most likely its cached result was cleaned away.")


async def _previous(process: Process, job: Job, wanted: Lineage) -> Job | None:
    """The newest older build of a lineage that came as far as a step."""
    before = job.id
    for _ in range(0, MAX_SCAN, _PAGE):
        async with reaching_redis():
            page = await process.jobs.page(job.project, before, _PAGE)
        for other in page:
            if isinstance(other.spec, BuildSpec) and lineage(other.spec) == wanted and counted_steps(other.steps):
                return other
        if len(page) < _PAGE:
            return None
        before = page[-1].id
    return None


async def _manifest(process: Process, job: Job) -> Manifest | None:
    digest = getattr(job.spec, "context", None)
    return await process.blobs.manifest(job.project, digest) if digest else None
