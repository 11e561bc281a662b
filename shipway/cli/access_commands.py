"""The commands about who may do what: logging in, and the tokens of others."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from shipway.cli.arguments import duration
from shipway.cli.command import Command, argument, choices, flag, number, several, text, texts
from shipway.cli.parameters import JSON

SCOPES = ("read", "build", "push", "images", "admin")


class Login(Command):
    """Keep a token for a service and use that service from now on, or have it keep a login for a registry.

    The service uses a registry's login for all jobs of the project.
    """

    target = argument("URL|REGISTRY", about="URL of a service, or a registry's host.")
    token_stdin = flag("--token-stdin", about="Read the service's token from standard input.")
    username = text("--username", "-u", metavar="NAME", about="Name of the registry's account.")
    password_stdin = flag("--password-stdin", about="Read the registry's password from standard input.")

    def run(self) -> int:
        """See `Command`."""
        if self.target.startswith(("http://", "https://")):
            from shipway.cli.access import log_in

            return log_in(self.target, from_stdin=self.token_stdin)
        from shipway.cli.registries import log_in as log_in_to_registry

        return log_in_to_registry(self.url, self.target, self.username, password_stdin=self.password_stdin)


class Logout(Command):
    """Have the service forget the login for a registry."""

    registry = argument("REGISTRY", about="Host of the registry.")

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.registries import log_out

        return log_out(self.url, self.registry)


class CreateToken(Command):
    """Make a token and print it; it is not shown again."""

    name = argument("NAME", about="What it is for.")
    project = text("--project", metavar="NAME", about="Tenant it belongs to. [default: default]")
    scope = choices("--scope", of=SCOPES, about="What it may be used for. [default: read, build, push]")
    push = texts("--push", metavar="PATTERN", about="Repositories to push to. [default: any]")
    pull = texts("--pull", metavar="PATTERN", about="Repositories to pull from. [default: any]")
    expires = text("--expires", metavar="DURATION", about="Its lifetime: 90s, 15m, 2h or 30d. [default: for ever]")
    json = JSON

    def run(self) -> int:
        """See `Command`."""
        lifetime = None if self.expires is None else duration(self.expires, "--expires")
        from shipway.cli.access import NewTokenCommand, make_token

        lists = (self.scope or None, self.push or None, self.pull or None)
        return make_token(NewTokenCommand(self.url, self.name, self.project, *lists, lifetime, self.json))


class ListTokens(Command):
    """List the tokens of all projects, newest first."""

    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.access import list_tokens

        return list_tokens(self.url, as_json=self.json)


class RevokeTokens(Command):
    """Revoke tokens: no request is taken with them from now on."""

    ids = several("ID...", about="Ids of tokens.")

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.access import revoke_tokens

        return revoke_tokens(self.url, self.ids)


class ListTrust(Command):
    """List the trust rules of all projects, oldest first."""

    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.oversight import list_trust

        return list_trust(self.url, as_json=self.json)


class Audit(Command):
    """Show who changed what, newest first."""

    limit = number("--limit", between=(1, 1000), about="How many at most.", default=50)
    json = JSON

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.oversight import show_audit

        return show_audit(self.url, self.limit, as_json=self.json)
