"""The commands that look: `ps`, `show`, `logs`, `workers`; and `cancel`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from rich.text import Text

from shipway.cli.interruption import Interrupted, exit_code
from shipway.cli.loop_interruption import InterruptionOnLoop
from shipway.cli.plain import PlainDisplay
from shipway.cli.summary import pushed_lines, summary_lines
from shipway.cli.tables import console, print_json, table
from shipway.cli.text import one_line, safe_lines, seconds
from shipway.client import AsyncClient
from shipway.client.paths import job_path
from shipway.models.job import Job, JobState, names_of
from shipway.models.worker import Worker

T = TypeVar("T")

STATE_STYLES = {
    JobState.QUEUED: "yellow",
    JobState.RUNNING: "blue",
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "dim",
}


def list_jobs(url: str | None, *, all_states: bool, limit: int, as_json: bool) -> int:
    """Print jobs, newest first: those that are not over, or all."""
    states = [None] if all_states else [JobState.QUEUED.value, JobState.RUNNING.value]

    async def pages(client: AsyncClient) -> list[dict[str, Any]]:
        return [await client.get_json("/v1/jobs", limit=limit, state=state) for state in states]

    found = [job for page in with_client(url, pages) for job in page["jobs"]]
    found.sort(key=lambda job: float(job["timings"]["created"]), reverse=True)
    if as_json:
        print_json({"jobs": found[:limit]})
        return 0
    listed = table("JOB", "STATE", "AGE", "TIME", "WORKER", "NAMES")
    for job in [Job.model_validate(raw) for raw in found[:limit]]:
        listed.add_row(*_job_row(job, time.time()))
    console().print(listed)
    return 0


def show_job(url: str | None, job_id: str, *, as_json: bool) -> int:
    """Print one job."""
    raw = with_client(url, lambda client: client.get_json(job_path(job_id)))
    if as_json:
        print_json(raw)
        return 0
    out = console()
    for line in _job_lines(Job.model_validate(raw)):
        out.print(line, soft_wrap=True)
    return 0


def list_workers(url: str | None, *, as_json: bool) -> int:
    """Print the workers."""
    raw = with_client(url, lambda client: client.get_json("/v1/workers"))
    if as_json:
        print_json(raw)
        return 0
    listed = table("WORKER", "STATE", "RUNNING", "PLATFORM", "ENGINE", "SEEN")
    for worker in [Worker.model_validate(each) for each in raw["workers"]]:
        listed.add_row(
            one_line(worker.name),
            worker.state + (f": {one_line(worker.problem)}" if worker.problem else ""),
            f"{worker.running}/{worker.capacity}",
            one_line(worker.platform or "?"),
            one_line(worker.daemon_version or "?"),
            f"{seconds(max(0.0, time.time() - worker.last_seen))} ago",
        )
    console().print(listed)
    return 0


def cancel_job(url: str | None, job_id: str) -> int:
    """Ask for a job's end; says so if it had ended before."""
    job = with_client(url, lambda client: client.cancel(job_id))
    if job.state.final and job.state != JobState.CANCELLED:
        print(f"job {job.id} had already {job.state}", file=sys.stderr)
        return 1
    print(job.id)
    return 0


def show_log(url: str | None, job_id: str, *, follow: bool) -> int:
    """Print a job's log so far, or follow it to its end."""
    if follow:
        return asyncio.run(_follow(url, job_id))
    text = with_client(url, lambda client: client.log(job_id))
    # For a pipe the bytes as they are; a terminal must not be steered by what a build prints.
    sys.stdout.write(safe_lines(text) if sys.stdout.isatty() else text)
    return 0


async def _follow(url: str | None, job_id: str) -> int:
    display = PlainDisplay(sys.stdout)

    async def follow(client: AsyncClient) -> int:
        async with aclosing(client.events(job_id)) as events:
            async for event in events:
                display.event(event)
        job = await client.job(job_id)
        for line in [f"job {job.id} {job.state}", *summary_lines(job)]:
            display.notice(line)
        if job.error:
            display.notice(f"error: {one_line(job.error.message)} ({job.error.slug})")
        return 0

    async with AsyncClient(url) as client:
        with InterruptionOnLoop() as interruption:
            try:
                return await interruption.unless_asked(follow(client))
            except Interrupted:
                return exit_code(interruption)


def with_client(url: str | None, ask: Callable[[AsyncClient], Coroutine[Any, Any, T]], token: str | None = None) -> T:
    """Ask the service something, and hang up."""

    async def asking() -> T:
        async with AsyncClient(url, token=token) as client:
            return await ask(client)

    return asyncio.run(asking())


def _job_row(job: Job, now: float) -> tuple[str | Text, ...]:
    started, finished = job.timings.started, job.timings.finished
    return (
        job.id,
        Text(job.state, STATE_STYLES[job.state]),
        seconds(max(0.0, now - job.timings.created)),
        seconds(max(0.0, (finished or now) - started)) if started is not None else "-",
        one_line(job.worker or "-"),
        Text(", ".join(names_of(job)) or "-"),
    )


def _job_lines(job: Job) -> list[Text]:
    created = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job.timings.created))
    facts = {
        "job": job.id,
        "state": job.state.value,
        "kind": job.kind.value,
        "names": ", ".join(names_of(job)),
        "created": created,
        "attempt": str(job.attempt) if job.attempt else "",
        "worker": job.worker or "",
        "placed": job.placed or "",
        "regret": f"{job.result.regret} steps ran that another worker had" if job.result.regret else "",
        "context": str(getattr(job.spec, "context", "") or ""),
        "phases": ", ".join(f"{name} {seconds(value)}" for name, value in job.timings.phases.items()),
    }
    lines = [Text(f"{name:<8} {one_line(value)}") for name, value in facts.items() if value]
    for step in job.steps:
        took = seconds(step.completed - step.started) if step.completed and step.started else ""
        style = "dim" if step.internal else ""
        lines.append(Text(f"  {step.status.upper():<9} {took:>8}  {one_line(step.name)}", style))
    lines += [Text(line) for line in (*pushed_lines(job), *summary_lines(job))]
    if job.error:
        lines.append(Text(f"error: {safe_lines(job.error.message)} ({job.error.slug})", "red"))
    return lines
