"""`shipway login` and `shipway logout`."""

from __future__ import annotations

import sys

import typer

from shipway.cli.listing import with_client
from shipway.exceptions import NotFound


def log_in(url: str | None, registry: str, username: str | None, *, password_stdin: bool) -> int:
    """Have a login tried and kept; returns the exit code. What is missing is asked for on the terminal."""
    if password_stdin and username is None:
        raise typer.BadParameter("--password-stdin needs --username")
    if not password_stdin and not sys.stdin.isatty():
        raise typer.BadParameter("standard input is no terminal to ask for a password on; use --password-stdin")
    name = username or str(typer.prompt("Username", err=True))
    if password_stdin:
        password = sys.stdin.read().rstrip("\r\n")
    else:
        password = str(typer.prompt("Password", hide_input=True, err=True))
    with_client(url, lambda client: client.log_in(registry, name, password))
    typer.echo("Login Succeeded")
    return 0


def log_out(url: str | None, registry: str) -> int:
    """Have a login forgotten; returns the exit code. As with docker, one that isn't there is no failure."""
    try:
        with_client(url, lambda client: client.log_out(registry))
    except NotFound as fault:
        if fault.slug != "login-unknown":
            raise
        typer.echo(f"Not logged in to {registry}")
    else:
        typer.echo(f"Removing login credentials for {registry}")
    return 0
