"""One command that starts a job: its client, its display, and what Ctrl-C does to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import typer
from rich.console import Console

from shipway.cli.display import Display, JsonDisplay, SilentDisplay
from shipway.cli.failure import DockerfileText, failure_report
from shipway.cli.interruption import Interrupted, Interruption
from shipway.cli.live import LiveDisplay
from shipway.cli.plain import PlainDisplay
from shipway.client import AsyncClient
from shipway.client.logins import registry_logins
from shipway.client.threads import call_in_thread
from shipway.exceptions import ShipwayError
from shipway.models.job import Job, JobState
from shipway.models.reference import Reference
from shipway.models.spec import RegistryLogin

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command that starts a job goes about it."""

    url: str | None = None
    progress: str = "auto"
    quiet: bool = False
    detach: bool = False


class Session:
    """What such a command works with."""

    def __init__(self, client: AsyncClient, display: Display, interruption: Interruption, manner: Manner) -> None:
        self.client = client
        self.display = display
        self.interruption = interruption
        self.manner = manner

    async def unless_asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that can be given up without a trace; raises Interrupted."""
        return await self.interruption.unless_asked(work)

    async def logins(self, names: Iterable[str]) -> dict[str, RegistryLogin]:
        """The user's logins for the registries of these images, and for no others."""
        hosts = {host for name in names if (host := _host(name)) is not None}
        return await self.unless_asked(
            call_in_thread(lambda: registry_logins(hosts, warn=self.display.notice)),
        )

    async def settle(self, job: Job, report: Callable[[Job], None], dockerfile: DockerfileText | None = None) -> int:
        """Follow a job to its end, or leave it to run; returns the exit code.

        Args:
            job: as the service accepted it.
            report: told the job once it has succeeded.
            dockerfile: what a failure is shown in.
        """
        if self.manner.detach and self.interruption.signal is None:
            self.display.close()
            typer.echo(job.id)
            return 0
        self.display.accepted(job)
        job = await self.follow(job)
        self.display.close()
        return self.conclude(job, report, dockerfile)

    def conclude(self, job: Job, report: Callable[[Job], None], dockerfile: DockerfileText | None = None) -> int:
        """Report a job that has ended; returns the exit code: 0 only for success."""
        if job.state is not JobState.SUCCEEDED:
            typer.echo(failure_report(job, self.display.trace, dockerfile), err=True)
        else:
            report(job)
        return self.exit_code(succeeded=job.state is JobState.SUCCEEDED)

    def exit_code(self, *, succeeded: bool) -> int:
        """What the command exits with."""
        if self.interruption.signal is not None:
            return self.interruption.exit_code
        return 0 if succeeded else 1

    async def follow(self, job: Job, display: Display | None = None) -> Job:
        """Show a job until it has ended; Ctrl-C cancels it."""
        shown = display or self.display
        canceller = asyncio.create_task(self._cancel_when_asked(job.id))
        try:
            async with aclosing(self.client.events(job.id)) as events:
                async for event in events:
                    shown.event(event)
            return await self.client.job(job.id)
        except ShipwayError as fault:
            fault.message += f"\njob {job.id} may still be running: `shipway logs -f {job.id}` follows it"
            raise
        finally:
            canceller.cancel()

    async def _cancel_when_asked(self, job_id: str) -> None:
        await self.interruption.asked.wait()
        self.display.notice(f"cancelling job {job_id} (again to leave at once)")
        try:
            await self.client.cancel(job_id)
        except ShipwayError as fault:
            self.display.notice(f"job {job_id} could not be cancelled: {fault.message}")


def run_session(manner: Manner, work: Callable[[Session], Awaitable[int]], *, sending: str = "context") -> int:
    """Run a command; returns its exit code.

    Args:
        manner: how.
        work: does it.
        sending: the word for what is uploaded.

    Raises:
        ShipwayError: it could not be started or followed.
    """
    return asyncio.run(_run(manner, work, sending))


async def _run(manner: Manner, work: Callable[[Session], Awaitable[int]], sending: str) -> int:
    async with AsyncClient(manner.url) as client:
        with Interruption() as interruption:
            display = _display(manner, sending)
            try:
                return await work(Session(client, display, interruption, manner))
            except (Interrupted, asyncio.CancelledError):
                return interruption.exit_code
            finally:
                display.close()


def draws(manner: Manner) -> bool:
    """Whether progress is drawn on a terminal."""
    console = Console(stderr=True)
    return manner.progress == "auto" and not manner.quiet and console.is_terminal and not console.is_dumb_terminal


def _display(manner: Manner, sending: str) -> Display:
    if manner.quiet:
        return SilentDisplay(sys.stderr)
    if manner.progress == "json":
        return JsonDisplay(sys.stderr)
    if draws(manner):
        return LiveDisplay(Console(stderr=True), sending)
    return PlainDisplay(sys.stderr, sending)


def _host(name: str) -> str | None:
    try:
        return Reference.parse(name).domain
    except ValueError:
        return None
