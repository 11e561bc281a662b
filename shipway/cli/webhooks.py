"""What the commands about webhooks do."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

from shipway.cli.listing import with_client
from shipway.cli.tables import ago, console, print_json, table
from shipway.cli.text import one_line, seconds
from shipway.client import AsyncClient
from shipway.client.paths import webhook_path
from shipway.models.webhook import Delivery, DeliveryState, NewWebhook, Webhook

PATIENCE = 20.0
"""Seconds to wait for what becomes of a test message."""
_LOOK = 0.3


def add(
    url: str | None,
    receiver: str,
    project: str | None,
    kinds: Sequence[str] | None,
    states: Sequence[str] | None,
    *,
    as_json: bool,
) -> int:
    """Make a webhook; its secret goes to standard output, its id beside it."""

    async def ask(client: AsyncClient) -> NewWebhook:
        return await client.create_webhook(receiver, project=project, kinds=kinds, states=states)

    made = with_client(url, ask)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        print(f"webhook {made.id} of project {made.project}; its secret:", file=sys.stderr)
        print(made.secret)
    return 0


def list_all(url: str | None, *, as_json: bool) -> int:
    """Print all webhooks, oldest first."""
    raw = with_client(url, lambda client: client.get_json("/v1/webhooks"))
    if as_json:
        print_json(raw)
        return 0
    listed = table("ID", "PROJECT", "CREATED", "KINDS", "ENDS", "URL", folding="URL")
    for webhook in [Webhook.model_validate(each) for each in raw["webhooks"]]:
        about = (" ".join(webhook.kinds), " ".join(webhook.states), one_line(webhook.url))
        listed.add_row(webhook.id, webhook.project, ago(webhook.created), *about)
    console().print(listed)
    return 0


def remove(url: str | None, ids: Sequence[str]) -> int:
    """Remove webhooks and print the ids of those that are no more."""

    async def ask(client: AsyncClient) -> None:
        for webhook_id in ids:
            await client.delete_webhook(webhook_id)
            print(webhook_id)

    with_client(url, ask)
    return 0


def list_deliveries(url: str | None, webhook_id: str, limit: int, *, as_json: bool) -> int:
    """Print what was sent, newest first."""
    raw = with_client(url, lambda client: client.get_json(f"{webhook_path(webhook_id)}/deliveries", limit=limit))
    if as_json:
        print_json(raw)
        return 0
    listed = table("ID", "TYPE", "STATE", "ATTEMPTS", "STATUS", "SENT", "NEXT", "ERROR", folding="ERROR")
    for sent in [Delivery.model_validate(each) for each in raw["deliveries"]]:
        again = "-" if sent.next is None else f"in {seconds(max(0.0, sent.next - time.time()))}"
        facts = (str(sent.attempts), str(sent.status or "-"), ago(sent.at), again, one_line(sent.error or "-"))
        listed.add_row(sent.id, sent.type, sent.state, *facts)
    console().print(listed)
    return 0


def test(url: str | None, webhook_id: str) -> int:
    """Send a test message; 0 only when the receiver took it."""

    async def ask(client: AsyncClient) -> Delivery:
        sent = await client.test_webhook(webhook_id)
        until = time.monotonic() + PATIENCE
        while not sent.attempts and time.monotonic() < until:
            await asyncio.sleep(_LOOK)
            sent = next(each for each in await client.deliveries(webhook_id) if each.id == sent.id)
        return sent

    sent = with_client(url, ask)
    if sent.state is DeliveryState.DELIVERED:
        print(f"delivered: answered {sent.status}")
        return 0
    print(f"not delivered: {one_line(sent.error or 'no worker has come to it yet')}", file=sys.stderr)
    return 1
