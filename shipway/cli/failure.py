"""The report of a job that ended without success."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shipway.cli.text import one_line, safe_lines
from shipway.cli.trace import StepTrace, Trace
from shipway.models.states import JobState

if TYPE_CHECKING:
    from shipway.models.job import Job

_RULE = "-" * 6


class DockerfileText(NamedTuple):
    """A Dockerfile that the client has at hand, and the name to show it under."""

    name: str
    text: str


def failure_report(job: Job, trace: Trace, dockerfile: DockerfileText | None) -> str:
    """Tell which step failed, its last lines, where that is in the Dockerfile, and why."""
    if job.state == JobState.CANCELLED:
        return f"job {job.id} was cancelled"
    problem = job.error
    message = problem.message if problem else "the job failed without saying why"
    failed = trace.named(problem.step if problem else None)
    name = failed.step.name if failed else (problem.step if problem else None)
    parts = _last_lines(failed, name)
    if dockerfile is not None:
        from shipway.cli.excerpt import render_excerpt  # noqa: PLC0415  (only for failures)
        from shipway.context.place import find_place  # noqa: PLC0415

        place = find_place(dockerfile.text, name, message)
        if place is not None:
            parts.append(render_excerpt(dockerfile.text, place, dockerfile.name))
    slug = f" ({problem.slug})" if problem else ""
    parts.append(f"error: {safe_lines(message)}{slug}")
    if problem and problem.retryable:
        parts.append("The fault lies in the machinery, not in your files: the same build may succeed later.")
    return "\n".join(parts)


def _last_lines(failed: StepTrace | None, name: str | None) -> list[str]:
    if name is None:
        return []
    tail = [f"{line.offset:.3f} {line.text}" for line in failed.tail] if failed else []
    return [_RULE, f" > {one_line(name)}:", *tail, _RULE]
