"""What is said of a job that has ended: the last lines, and the machine-readable files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipway.cli.text import one_line, seconds
from shipway.client.told import Told
from shipway.exceptions import ClientError
from shipway.models.figures import counted_steps, names_of
from shipway.models.states import StepStatus

if TYPE_CHECKING:
    from shipway.models.job import Job


def cached_steps(job: Job) -> str | None:
    """`5/7 steps cached`, or None when no step that counts ended."""
    ended = counted_steps(job.steps)
    if not ended:
        return None
    cached = sum(step.status == StepStatus.CACHED for step in ended)
    return f"{cached}/{len(ended)} steps cached"


def summary_lines(job: Job) -> list[str]:
    """The image, and the line of figures."""
    lines = [f"image {job.result.image_id}"] if job.result.image_id else []
    saved = job.result.seconds_saved
    figures = [cached_steps(job), f"{seconds(saved)} saved" if saved else None]
    if job.timings.started is not None and job.timings.finished is not None:
        figures.append(seconds(job.timings.finished - job.timings.started))
        figures.append(f"{seconds(max(0.0, job.timings.started - job.timings.created))} in the queue")
    told = [figure for figure in figures if figure]
    return [*lines, ", ".join(told)] if told else lines


def pushed_lines(job: Job) -> list[str]:
    """What is in a registry now, and under which digest; or why it isn't."""
    return [
        f"not pushed {one_line(pushed.reference)}: {one_line(pushed.error.message)} ({pushed.error.slug})"
        if pushed.error
        else f"pushed {one_line(pushed.reference)} {pushed.digest}"
        for pushed in job.result.pushed
    ]


def metadata(job: Job) -> dict[str, Any]:
    """The content of `--metadata-file`: Docker's own keys where they exist, and the job's."""
    digests = {pushed.reference: pushed.digest for pushed in job.result.pushed}
    record = job.fields if isinstance(job, Told) else job.model_dump(mode="json")
    found: dict[str, Any] = {
        "id": job.id,
        "image_id": job.result.image_id,
        "digests": digests,
        "steps": [{name: value for name, value in step.items() if value is not None} for step in record["steps"]],
        "cache_hit_ratio": job.cache_hit_ratio,
        "timings": record["timings"],
        "containerimage.config.digest": job.result.image_id,
        "image.name": ",".join(names_of(job)),
    }
    if digests:
        found["containerimage.digest"] = next(iter(digests.values()))
    return found


def write_files(job: Job, iidfile: Path | None, metadata_file: Path | None) -> None:
    """Write what the user asked for.

    Raises:
        ClientError: `output-unwritable`.
    """
    try:
        if iidfile is not None:
            iidfile.write_text(job.result.image_id or "")
        if metadata_file is not None:
            metadata_file.write_text(json.dumps(metadata(job), indent=2) + "\n")
    except OSError as fault:
        raise ClientError(
            f"the image is built, but {fault.filename} can't be written: {fault.strerror}", slug="output-unwritable"
        ) from fault
