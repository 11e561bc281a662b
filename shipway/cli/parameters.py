"""What several commands take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipway.cli.arguments import duration
from shipway.cli.command import Command, choice, flag, number, text, texts

if TYPE_CHECKING:
    from shipway.cli.session import Manner
    from shipway.client.move_options import JobKeywords

JSON = flag("--json", about="Print JSON, as the API gives it.")
WORKER = text("--worker", metavar="NAME", about="Worker to use. [default: any that fits]")
TAGS = texts("--tag", "-t", metavar="NAME", about="Name for the image.")
PUSH = flag("--push", about="Push every name to its registry.")
PLATFORM = text("--platform", metavar="OS/ARCH", about="Platform of the image.")
CHANGE = texts("--change", "-c", metavar="LINE", about="Dockerfile line for the image.")
MESSAGE = text("--message", "-m", metavar="TEXT", about="Word about it, for its history.", default="")
CONTAINER = text("--container", metavar="NAME", about="A container on the worker named, in place of an image.")

BATCH = 7
"""Priority of a job that nobody waits for (`--detach`), if nothing else is said: what people wait for is 5."""


def workers(default: str) -> str:
    """The workers of a command that may use several; read by `arguments.workers`."""
    return text("--workers", metavar="any|all|NAME,…", about="Workers to use.", default=default)


class JobCommand(Command):
    """A command that starts jobs and waits for them."""

    timeout = text("--timeout", metavar="DURATION", about="Limit for the job: 90, 90s, 15m or 2h.")
    priority = number("--priority", between=(0, 9), about="0 is served first, 9 last. [default: 5; 7 with --detach]")
    progress = choice("--progress", of=("auto", "plain", "json"), about="How to show it.", default="auto")
    quiet = flag("--quiet", "-q", about="Print nothing but the result.")
    detach = False

    @property
    def manner(self) -> Manner:
        """How it goes about its job."""
        from shipway.cli.session import Manner  # noqa: PLC0415  (`--help` needs no session)

        return Manner(self.url, self.progress, self.quiet, self.detach)

    def limit(self, wanted: JobKeywords) -> None:
        """Add what was said of the job's time and place in the queue.

        Raises:
            ArgumentError: the duration is none.
        """
        if self.timeout is not None:
            wanted["timeout"] = duration(self.timeout)
        if self.priority is not None or self.detach:
            wanted["priority"] = BATCH if self.priority is None else self.priority


class DetachableCommand(JobCommand):
    """One that may leave its jobs to run."""

    detach = flag("--detach", "-d", about="Print the job's id and leave it to run.")
