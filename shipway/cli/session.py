"""One command that starts a job: how it speaks to the service, its display, and what Ctrl-C does to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from shipway import __version__
from shipway.cli.display import Display, JsonDisplay, SilentDisplay
from shipway.cli.failure import DockerfileText, failure_report
from shipway.cli.interruption import Interrupted, Interruption, InterruptionAlone, exit_code
from shipway.cli.plain import PlainDisplay
from shipway.cli.tracing import traced
from shipway.client.alone import Alone, reachable_alone, run_alone
from shipway.client.config import AUDIENCE_VARIABLE, service_token, service_url
from shipway.client.connection import Connection
from shipway.client.following import Follower
from shipway.client.ground import common_headers
from shipway.client.logins import Login, registry_logins
from shipway.client.told import Told
from shipway.client.wire import Wire
from shipway.exceptions import ShipwayError
from shipway.models.reference import Reference
from shipway.models.states import JobState

if TYPE_CHECKING:
    from shipway.models.event import Event
    from shipway.models.job import Job

T = TypeVar("T")

TIMEOUT = 30.0
"""Seconds for one ordinary request."""


class Manner(NamedTuple):
    """How a command that starts a job goes about it."""

    url: str | None = None
    progress: str = "auto"
    quiet: bool = False
    detach: bool = False


class Session:
    """What such a command works with."""

    def __init__(self, wire: Wire, interruption: Interruption, manner: Manner, sending: str) -> None:
        self.wire = wire
        self.interruption = interruption
        self.manner = manner
        self.display = _display(manner, sending)

    async def unless_asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that can be given up without a trace; raises Interrupted."""
        return await self.interruption.unless_asked(work)

    async def logins(self, names: Iterable[str]) -> dict[str, Login]:
        """The user's logins for the registries of these images, and for no others."""
        hosts = (host for name in names if (host := _host(name)) is not None)
        return await self.unless_asked(
            self.wire.connection.ground.call(lambda: registry_logins(hosts, warn=self.display.notice)),
        )

    def forwarding(self, job_id: str, agents: Mapping[str, Path]) -> AbstractAsyncContextManager[None]:
        """Answer for ssh agents of this machine meanwhile; that takes a `LoopSession`."""
        if agents:
            raise RuntimeError(f"nobody can answer here for the agents of job {job_id}")
        return nullcontext()

    async def settle(
        self,
        job: Job,
        report: Callable[[Job], None],
        dockerfile: DockerfileText | None = None,
        follower: Follower | None = None,
    ) -> int:
        """Follow a job to its end, or leave it to run; returns the exit code.

        Args:
            job: as the service accepted it.
            report: told the job once it has succeeded.
            dockerfile: what a failure is shown in.
            follower: what follows the job already.
        """
        if self.manner.detach and self.interruption.signal is None:
            self.display.close()
            print(job.id)
            return 0
        self.display.accepted(job)
        job = await self.follow(job, follower=follower)
        self.display.close()
        return self.conclude(job, report, dockerfile)

    def conclude(self, job: Job, report: Callable[[Job], None], dockerfile: DockerfileText | None = None) -> int:
        """Report a job that has ended; returns the exit code: 0 only for success."""
        if job.state != JobState.SUCCEEDED:
            print(failure_report(job, self.display.trace, dockerfile), file=sys.stderr)
        else:
            report(job)
        return self.exit_code(succeeded=job.state == JobState.SUCCEEDED)

    def exit_code(self, *, succeeded: bool) -> int:
        """What the command exits with."""
        if self.interruption.signal is not None:
            return exit_code(self.interruption)
        return 0 if succeeded else 1

    async def follow(self, job: Job, display: Display | None = None, follower: Follower | None = None) -> Job:
        """Show a job until it has ended; Ctrl-C cancels it."""
        follower, shown = follower or self.wire.follower(job.id), display or self.display
        try:
            try:
                await self.unless_asked(_show(follower, shown))
            except Interrupted:
                await self._cancel(job.id)
                await _show(follower, shown)
            return cast("Job", Told(follower.record or await self.wire.job(job.id)))
        except ShipwayError as fault:
            fault.message += f"\njob {job.id} may still be running: `shipway logs -f {job.id}` follows it"
            raise

    async def _cancel(self, job_id: str) -> None:
        self.display.notice(f"cancelling job {job_id} (again to leave at once)")
        try:
            await self.wire.cancel(job_id)
        except ShipwayError as fault:
            self.display.notice(f"job {job_id} could not be cancelled: {fault.message}")


async def _show(follower: Follower, display: Display) -> None:
    """Show what comes; should it be broken off, the same follower goes on from there."""
    async with aclosing(follower.events()) as events:
        async for event in events:
            display.event(cast("Event", Told(event)))


def run_session(manner: Manner, work: Callable[[Session], Awaitable[int]], *, sending: str = "context") -> int:
    """Run a command; returns its exit code.

    Args:
        manner: how.
        work: does it.
        sending: the word for what is uploaded.

    Raises:
        ShipwayError: it could not be started or followed.
    """
    url = service_url(manner.url)
    token = service_token(url)
    if not reachable_alone(url) or (token is None and os.environ.get(AUDIENCE_VARIABLE)):
        from shipway.cli.loop_session import run_loop_session  # noqa: PLC0415  (asyncio and httpx take their time)

        return run_loop_session(manner, work, sending=sending)
    ground = Alone(url, TIMEOUT, common_headers(__version__, token))

    async def run() -> int:
        with InterruptionAlone() as interruption:
            session = Session(Wire(Connection(ground)), interruption, manner, sending)
            try:
                return await concluded(session, work(session))
            finally:
                await ground.close()

    return traced(work, lambda: run_alone(run()))


async def concluded(session: Session, work: Awaitable[int]) -> int:
    """Do the work of a command; returns its exit code."""
    try:
        return await work
    except Interrupted:
        return exit_code(session.interruption)
    finally:
        session.display.close()


def draws(manner: Manner) -> bool:
    """Whether progress is drawn on a terminal."""
    if manner.progress != "auto" or manner.quiet or not (sys.stderr.isatty() or _FORCED & os.environ.keys()):
        return False
    from rich.console import Console  # noqa: PLC0415  (files and pipes need no drawing)

    console = Console(stderr=True)
    return console.is_terminal and not console.is_dumb_terminal


_FORCED = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
"""Variables by which rich may take a pipe for a terminal."""


def _display(manner: Manner, sending: str) -> Display:
    if manner.quiet:
        return SilentDisplay(sys.stderr)
    if manner.progress == "json":
        return JsonDisplay(sys.stderr)
    if draws(manner):
        from rich.console import Console  # noqa: PLC0415

        from shipway.cli.live import LiveDisplay  # noqa: PLC0415

        return LiveDisplay(Console(stderr=True), sending)
    return PlainDisplay(sys.stderr, sending)


def _host(name: str) -> str | None:
    try:
        return Reference.parse(name).domain
    except ValueError:
        return None
