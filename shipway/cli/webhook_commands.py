"""The commands about webhooks: who is told by HTTP that jobs have ended."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from shipway.cli.parameters import Json

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Tell others by HTTP that jobs have ended.")

Id = Annotated[str, typer.Argument(metavar="ID", show_default=False, help="Id of a webhook.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="Ids of webhooks.")]


class EndChoice(StrEnum):
    """How a job can end."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@app.command("add")
def add(
    context: typer.Context,
    receiver: Annotated[str, typer.Argument(metavar="URL", show_default=False, help="Where messages are posted to.")],
    project: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose jobs. [default: the token's project]")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Kind of jobs to tell of. [default: build]")
    ] = None,
    state: Annotated[list[EndChoice] | None, typer.Option(help="Ends to tell of. [default: all]")] = None,
    as_json: Json = False,
) -> None:
    """Make a webhook and print the secret that signs its messages; it is not shown again."""
    from shipway.cli.webhooks import add as adding

    states = [one.value for one in state] if state else None
    raise typer.Exit(adding(context.obj, receiver, project, kind, states, as_json=as_json))


@app.command("list")
def list_webhooks(context: typer.Context, as_json: Json = False) -> None:
    """List the webhooks of all projects, oldest first."""
    from shipway.cli.webhooks import list_all

    raise typer.Exit(list_all(context.obj, as_json=as_json))


@app.command("remove")
def remove(context: typer.Context, ids: Ids) -> None:
    """Remove webhooks: they are told nothing from now on."""
    from shipway.cli.webhooks import remove as removing

    raise typer.Exit(removing(context.obj, ids))


@app.command("deliveries")
def deliveries(
    context: typer.Context,
    webhook_id: Id,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List what was sent to a webhook and what became of it, newest first."""
    from shipway.cli.webhooks import list_deliveries

    raise typer.Exit(list_deliveries(context.obj, webhook_id, limit, as_json=as_json))


@app.command("test")
def test(context: typer.Context, webhook_id: Id) -> None:
    """Have a test message sent, and wait for what becomes of it."""
    from shipway.cli.webhooks import test as testing

    raise typer.Exit(testing(context.obj, webhook_id))
