"""`shipway login` and `shipway logout`."""

from __future__ import annotations

import sys

from shipway.cli.asking import answer_to
from shipway.cli.command import ArgumentError
from shipway.cli.listing import with_client
from shipway.exceptions import NotFound


def log_in(url: str | None, registry: str, username: str | None, *, password_stdin: bool) -> int:
    """Have a login tried and kept; returns the exit code. What is missing is asked for on the terminal."""
    if password_stdin and username is None:
        raise ArgumentError("--password-stdin needs --username")
    if not password_stdin and not sys.stdin.isatty():
        raise ArgumentError("standard input is no terminal to ask for a password on; use --password-stdin")
    name = username or answer_to("Username")
    password = sys.stdin.read().rstrip("\r\n") if password_stdin else answer_to("Password", hidden=True)
    with_client(url, lambda client: client.log_in(registry, name, password))
    print("Login Succeeded")
    return 0


def log_out(url: str | None, registry: str) -> int:
    """Have a login forgotten; returns the exit code. As with docker, one that isn't there is no failure."""
    try:
        with_client(url, lambda client: client.log_out(registry))
    except NotFound as fault:
        if fault.slug != "login-unknown":
            raise
        print(f"Not logged in to {registry}")
    else:
        print(f"Removing login credentials for {registry}")
    return 0
