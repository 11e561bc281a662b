"""The commands about jobs and the workers that run them."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from shipway.cli.command import Command, argument, flag, number
from shipway.cli.parameters import JSON

JOB = argument("ID", about="Id of the job.")


class Logs(Command):
    """Print what a job's steps wrote."""

    job = JOB
    follow = flag("--follow", "-f", about="Go on until the job has ended.")

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.listing import show_log

        return show_log(self.url, self.job, follow=self.follow)


class Ps(Command):
    """List jobs, newest first."""

    every = flag("--all", "-a", about="Jobs that are over, too.")
    limit = number("--limit", between=(1, 200), about="How many at most.", default=50)
    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.listing import list_jobs

        return list_jobs(self.url, all_states=self.every, limit=self.limit, as_json=self.json)


class Show(Command):
    """Show a job: state, steps, results."""

    job = JOB
    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.listing import show_job

        return show_job(self.url, self.job, as_json=self.json)


class Cancel(Command):
    """Cancel a job."""

    job = JOB

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.listing import cancel_job

        return cancel_job(self.url, self.job)


class Workers(Command):
    """List the workers and what they do."""

    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.listing import list_workers

        return list_workers(self.url, as_json=self.json)


class Top(Command):
    """Watch the workers and your jobs, until q or Ctrl-C."""

    once = flag("--once", about="Show it once and end.")
    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.top import top

        return top(self.url, once=self.once, as_json=self.json)


class Version(Command):
    """Print the version of this command."""

    def run(self) -> int:
        """See `Command`."""
        from shipway import __version__

        print(f"shipway {__version__}")
        return 0
