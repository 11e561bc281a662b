"""`shipway build`: upload, submit, follow, report."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import typer
from rich.console import Console

from shipway.cli.display import Display, JsonDisplay, SilentDisplay
from shipway.cli.failure import DockerfileText, failure_report
from shipway.cli.interruption import Interrupted, Interruption
from shipway.cli.live import LiveDisplay
from shipway.cli.plain import PlainDisplay
from shipway.cli.summary import summary_lines, write_files
from shipway.client import AsyncClient
from shipway.client.dockerfile import images
from shipway.client.logins import registry_logins
from shipway.client.options import BuildKeywords, check_options
from shipway.client.threads import call_in_thread
from shipway.client.upload import Dockerfile, DockerfileSource, LocalContext, prepare
from shipway.exceptions import ClientError, ShipwayError
from shipway.models.job import Job, JobState
from shipway.models.reference import Reference

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class BuildCommand:
    """The command line, read but for what the client itself checks."""

    path: str
    options: BuildKeywords
    file: str | None = None
    progress: str = "auto"
    quiet: bool = False
    detach: bool = False
    iidfile: Path | None = None
    metadata_file: Path | None = None
    url: str | None = field(default=None)


def run_build(command: BuildCommand) -> int:
    """Build; returns the exit code: 0 only for an image that was built (or, detached, a job accepted).

    Raises:
        ShipwayError: the build could not be started or followed.
    """
    return asyncio.run(_build(command))


async def _build(command: BuildCommand) -> int:
    async with AsyncClient(command.url) as client:
        with Interruption() as interruption:
            display = _display(command)
            try:
                return await _Build(command, client, display, interruption).run()
            except (Interrupted, asyncio.CancelledError):
                return interruption.exit_code
            finally:
                display.close()


class _Build:
    def __init__(
        self, command: BuildCommand, client: AsyncClient, display: Display, interruption: Interruption
    ) -> None:
        self._command = command
        self._client = client
        self._display = display
        self._interruption = interruption

    async def run(self) -> int:
        check_options(self._command.options)
        local = await self._interruption.unless_asked(call_in_thread(self._prepare))
        options = self._command.options
        logins = await self._interruption.unless_asked(call_in_thread(lambda: self._with_logins(options, local)))
        request = await self._interruption.unless_asked(
            self._client.upload_for_build(local, on_progress=self._display.uploading, **logins)
        )
        # Not given up by the first Ctrl-C: the service might have taken the job, and nobody would cancel it.
        job = await self._client.submit(request)
        if self._command.detach and self._interruption.signal is None:
            self._display.close()
            typer.echo(job.id)
            return 0
        self._display.accepted(job)
        job = await self._follow(job)
        self._display.close()
        return self._report(job, _dockerfile_text(self._command, local))

    def _prepare(self) -> LocalContext:
        path, file = self._command.path, self._command.file
        dockerfile: Dockerfile | None = None
        if file == STANDARD_INPUT:
            if path == STANDARD_INPUT:
                raise ClientError("standard input can't be both the context and the Dockerfile", slug="stdin-twice")
            dockerfile = DockerfileSource(sys.stdin.buffer.read())
        elif file is not None:
            # For a directory -f is relative to here, as with docker; for a tar it is a path inside.
            dockerfile = file if path == STANDARD_INPUT else Path(file).absolute()
        if path != STANDARD_INPUT:
            return prepare(path, dockerfile)
        # Unbuffered: a buffer's lock, held by a thread that waits for input, would stop the interpreter's end.
        return prepare(open(0, "rb", buffering=0, closefd=False), dockerfile)

    def _with_logins(self, options: BuildKeywords, local: LocalContext) -> BuildKeywords:
        """Add logins for the registries this build speaks to, and for no others."""
        names = [*(options.get("tags", ()) if options.get("push") else ()), *options.get("cache_from", ())]
        references = {Reference.parse(name) for name in names}
        if local.text is not None:
            references |= images(local.text.decode(errors="replace"), options.get("build_args", {}))
        hosts = {reference.domain for reference in references}
        return {**options, "registries": registry_logins(hosts, warn=self._display.notice)}

    async def _follow(self, job: Job) -> Job:
        canceller = asyncio.create_task(self._cancel_when_asked(job.id))
        try:
            async with aclosing(self._client.events(job.id)) as events:
                async for event in events:
                    self._display.event(event)
            return await self._client.job(job.id)
        except ShipwayError as fault:
            fault.message += f"\njob {job.id} may still be running: `shipway logs -f {job.id}` follows it"
            raise
        finally:
            canceller.cancel()

    async def _cancel_when_asked(self, job_id: str) -> None:
        await self._interruption.asked.wait()
        self._display.notice(f"cancelling job {job_id} (again to leave at once)")
        try:
            await self._client.cancel(job_id)
        except ShipwayError as fault:
            self._display.notice(f"job {job_id} could not be cancelled: {fault.message}")

    def _report(self, job: Job, dockerfile: DockerfileText | None) -> int:
        if job.state is not JobState.SUCCEEDED:
            typer.echo(failure_report(job, self._display.trace, dockerfile), err=True)
            return self._interruption.exit_code if self._interruption.signal is not None else 1
        write_files(job, self._command.iidfile, self._command.metadata_file)
        if self._command.quiet:
            typer.echo(job.result.image_id)
        elif self._command.progress != "json":
            typer.echo("\n".join(summary_lines(job)), err=True)
        return self._interruption.exit_code if self._interruption.signal is not None else 0


def _display(command: BuildCommand) -> Display:
    if command.quiet:
        return SilentDisplay(sys.stderr)
    if command.progress == "json":
        return JsonDisplay(sys.stderr)
    console = Console(stderr=True)
    if command.progress == "auto" and console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(console)
    return PlainDisplay(sys.stderr)


def _dockerfile_text(command: BuildCommand, local: LocalContext) -> DockerfileText | None:
    if local.text is None:
        return None
    name = command.file if command.file not in (None, STANDARD_INPUT) else local.dockerfile
    return DockerfileText(name or local.dockerfile, local.text.decode(errors="replace"))
