"""The commands about webhooks: who is told by HTTP that jobs have ended."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from shipway.cli.command import Command, argument, choices, number, several, text, texts
from shipway.cli.parameters import JSON

ID = argument("ID", about="Id of a webhook.")
ENDS = ("succeeded", "failed", "cancelled")


class Add(Command):
    """Make a webhook and print the secret that signs its messages; it is not shown again."""

    receiver = argument("URL", about="Where messages are posted to.")
    project = text("--project", metavar="NAME", about="Whose jobs. [default: the token's project]")
    kind = texts("--kind", metavar="KIND", about="Kind of jobs to tell of. [default: build]")
    state = choices("--state", of=ENDS, about="Ends to tell of. [default: all]")
    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.webhooks import add

        kinds, states = self.kind or None, self.state or None
        return add(self.url, self.receiver, self.project, kinds, states, as_json=self.json)


class List(Command):
    """List the webhooks of all projects, oldest first."""

    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.webhooks import list_all

        return list_all(self.url, as_json=self.json)


class Remove(Command):
    """Remove webhooks: they are told nothing from now on."""

    ids = several("ID...", about="Ids of webhooks.")

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.webhooks import remove

        return remove(self.url, self.ids)


class Deliveries(Command):
    """List what was sent to a webhook and what became of it, newest first."""

    webhook = ID
    limit = number("--limit", between=(1, 1000), about="How many at most.", default=50)
    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.webhooks import list_deliveries

        return list_deliveries(self.url, self.webhook, self.limit, as_json=self.json)


class Test(Command):
    """Have a test message sent, and wait for what becomes of it."""

    webhook = ID

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.webhooks import test

        return test(self.url, self.webhook)
