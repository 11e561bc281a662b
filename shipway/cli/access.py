"""What the commands about tokens do."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from shipway.cli.asking import answer_to
from shipway.cli.listing import with_client
from shipway.cli.tables import ago, console, print_json, table
from shipway.cli.text import one_line
from shipway.client import AsyncClient
from shipway.client.config import checked_token, save_token, save_url, service_url
from shipway.models.token import ANYTHING, Caller, NewToken, Token


@dataclass(frozen=True, slots=True)
class NewTokenCommand:
    """What was asked of `shipway token create`."""

    url: str | None
    name: str
    project: str | None
    scopes: Sequence[str] | None
    push: Sequence[str] | None
    pull: Sequence[str] | None
    lifetime: float | None
    as_json: bool


def log_in(url: str, *, from_stdin: bool) -> int:
    """Ask for a token, try it, keep it and the URL."""
    url = service_url(url)
    text = sys.stdin.readline() if from_stdin else answer_to("Token", hidden=True)
    token = checked_token(text, "standard input" if from_stdin else "the answer")

    async def ask(client: AsyncClient) -> Caller:
        return await client.whoami()

    caller = with_client(url, ask, token)
    path = save_token(url, token)
    save_url(url)
    scopes = ", ".join(caller.scopes)
    print(f"logged in to {url}: project {caller.project}, may {scopes}; the token is kept in {path}", file=sys.stderr)
    return 0


def make_token(command: NewTokenCommand) -> int:
    """Make a token and print it."""

    async def ask(client: AsyncClient) -> NewToken:
        return await client.create_token(
            command.name,
            project=command.project,
            scopes=command.scopes,
            push=command.push,
            pull=command.pull,
            lifetime=command.lifetime,
        )

    made = with_client(command.url, ask)
    if command.as_json:
        print_json(made.model_dump(mode="json"))
    else:
        print(made.token)
    return 0


def list_tokens(url: str | None, *, as_json: bool) -> int:
    """Print all tokens, newest first."""
    found = with_client(url, AsyncClient.tokens)
    if as_json:
        print_json({"tokens": [token.model_dump(mode="json") for token in found]})
        return 0
    listed = table(
        "ID", "PROJECT", "SCOPES", "CREATED", "EXPIRES", "USED", "NAME", "REPOSITORIES", folding="REPOSITORIES"
    )
    for token in found:
        expires = "never" if token.expires is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(token.expires))
        used = "never" if token.last_used is None else ago(token.last_used)
        row = (token.id, token.project, " ".join(token.scopes), ago(token.created), expires, used)
        listed.add_row(*row, one_line(token.name), _limits(token))
    console().print(listed)
    return 0


def revoke_tokens(url: str | None, ids: Sequence[str]) -> int:
    """Revoke tokens and print the ids of those that are no more."""

    async def ask(client: AsyncClient) -> None:
        for token_id in ids:
            await client.revoke_token(token_id)
            print(token_id)

    with_client(url, ask)
    return 0


def _limits(token: Token) -> str:
    limits = {"push": token.push, "pull": token.pull}
    told = [
        f"{what} {one_line(' '.join(patterns) or 'none')}" for what, patterns in limits.items() if patterns != ANYTHING
    ]
    return "; ".join(told) or "any"
