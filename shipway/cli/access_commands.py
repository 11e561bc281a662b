"""The commands about who may do what: logging in, and the tokens of others."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from shipway.cli import arguments
from shipway.cli.parameters import Json

app = typer.Typer(rich_markup_mode=None)
token = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Make, list and revoke tokens.")
app.add_typer(token, name="token")
trust = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="See which other issuers' tokens count here.")
app.add_typer(trust, name="trust")


class ScopeChoice(StrEnum):
    """What a token may be used for."""

    READ = "read"
    BUILD = "build"
    PUSH = "push"
    IMAGES = "images"
    ADMIN = "admin"


@app.command()
def login(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="URL|REGISTRY", show_default=False, help="URL of a service, or a registry's host.")
    ],
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the service's token from standard input.")
    ] = False,
    username: Annotated[str | None, typer.Option("--username", "-u", help="Name of the registry's account.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the registry's password from standard input.")
    ] = False,
) -> None:
    """Keep a token for a service and use that service from now on, or have it keep a login for a registry.

    The service uses a registry's login for all jobs of the project.
    """
    if target.startswith(("http://", "https://")):
        from shipway.cli.access import log_in

        raise typer.Exit(log_in(target, from_stdin=token_stdin))
    from shipway.cli.registries import log_in as log_in_to_registry

    raise typer.Exit(log_in_to_registry(context.obj, target, username, password_stdin=password_stdin))


@app.command()
def logout(
    context: typer.Context,
    registry: Annotated[str, typer.Argument(metavar="REGISTRY", show_default=False, help="Host of the registry.")],
) -> None:
    """Have the service forget the login for a registry."""
    from shipway.cli.registries import log_out

    raise typer.Exit(log_out(context.obj, registry))


@token.command("create")
def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What it is for.")],
    project: Annotated[
        str | None, typer.Option(metavar="NAME", help="Tenant it belongs to. [default: default]")
    ] = None,
    scope: Annotated[
        list[ScopeChoice] | None, typer.Option(help="What it may be used for. [default: read, build, push]")
    ] = None,
    push: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Repositories to push to. [default: any]")
    ] = None,
    pull: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Repositories to pull from. [default: any]")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Its lifetime: 90s, 15m, 2h or 30d. [default: for ever]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token and print it; it is not shown again."""
    try:
        lifetime = None if expires is None else arguments.duration(expires, "--expires")
    except arguments.ArgumentError as fault:
        raise typer.BadParameter(str(fault)) from None
    from shipway.cli.access import NewTokenCommand, make_token

    scopes = [one.value for one in scope] if scope else None
    raise typer.Exit(make_token(NewTokenCommand(context.obj, name, project, scopes, push, pull, lifetime, as_json)))


@token.command("list")
def list_tokens(context: typer.Context, as_json: Json = False) -> None:
    """List the tokens of all projects, newest first."""
    from shipway.cli.access import list_tokens as listing

    raise typer.Exit(listing(context.obj, as_json=as_json))


@token.command("revoke")
def revoke_tokens(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="Ids of tokens.")],
) -> None:
    """Revoke tokens: no request is taken with them from now on."""
    from shipway.cli.access import revoke_tokens as revoking

    raise typer.Exit(revoking(context.obj, ids))


@trust.command("list")
def list_trust(context: typer.Context, as_json: Json = False) -> None:
    """List the trust rules of all projects, oldest first."""
    from shipway.cli.oversight import list_trust as listing

    raise typer.Exit(listing(context.obj, as_json=as_json))


@app.command()
def audit(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """Show who changed what, newest first."""
    from shipway.cli.oversight import show_audit

    raise typer.Exit(show_audit(context.obj, limit, as_json=as_json))
