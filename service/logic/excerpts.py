"""The lines of a Dockerfile where a build failed."""

from __future__ import annotations

from dataclasses import dataclass

from service.process import Process
from shipway.context.place import Place, find_place
from shipway.models.job import Job
from shipway.models.spec import BuildSpec

MAX_DOCKERFILE = 1 << 20
"""Bytes of a Dockerfile that are looked at."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some lines of a Dockerfile, by number from 1, around the place that failed."""

    name: str
    place: Place
    lines: dict[int, str]


async def excerpt(process: Process, job: Job) -> Excerpt | None:
    """Find where a failed build's error lies in its Dockerfile.

    None when it lies nowhere there, or when the context is gone or was none of ours.

    Raises:
        Unavailable: the object store is out of reach.
    """
    if job.error is None or not isinstance(job.spec, BuildSpec):
        return None
    text = await _dockerfile(process, job.project, job.spec)
    place = find_place(text, job.error.step, job.error.message) if text is not None else None
    if text is None or place is None:
        return None
    lines = text.splitlines()
    return Excerpt(job.spec.dockerfile, place, {number: lines[number - 1] for number in place.around(len(lines))})


async def _dockerfile(process: Process, project: str, spec: BuildSpec) -> str | None:
    digest = spec.dockerfile_context or spec.context
    manifest = await process.blobs.manifest(project, digest) if digest else None
    entry = manifest.get(spec.dockerfile) if manifest else None
    if entry is None or not 0 < entry.size <= MAX_DOCKERFILE:
        return None
    try:
        raw = await process.blobs.read_part(project, entry.blob, entry.offset, entry.size)
    except FileNotFoundError:
        return None
    return raw.decode(errors="replace")
