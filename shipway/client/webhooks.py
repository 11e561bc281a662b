"""The part of `AsyncClient` about webhooks: who is told that jobs have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shipway.client.answers import DeliveryList, WebhookList
from shipway.client.checking import validated
from shipway.client.connection import Connection
from shipway.client.paths import webhook_path
from shipway.models.job import JobState
from shipway.models.spec import Kind
from shipway.models.webhook import Delivery, NewWebhook, Webhook, WebhookRequest


class Webhooks:
    """Makes, lists, tries and removes webhooks. All need the scope `admin`: methods raise `Forbidden` without it."""

    _connection: Connection

    async def create_webhook(
        self,
        url: str,
        *,
        project: str | None = None,
        kinds: Sequence[Kind | str] | None = None,
        states: Sequence[JobState | str] | None = None,
    ) -> NewWebhook:
        """Have a message posted to a URL for every job that ends; the secret is in the answer and nowhere else.

        Args:
            url: where to.
            project: whose jobs; by default those of the token's project.
            kinds: kinds of jobs that are told of; by default builds only.
            states: ends that are told of; by default all.

        Raises:
            InvalidRequest: a value is wrong, or the URL leads where it may not (`webhook-forbidden`).
            Conflict: the project has as many webhooks as it may.
        """
        given = {"project": project, "kinds": kinds, "states": states}
        fields: dict[str, Any] = {"url": url, **{key: value for key, value in given.items() if value is not None}}
        body = validated(WebhookRequest, fields).model_dump(mode="json", exclude_defaults=True)
        return NewWebhook.model_validate_json((await self._connection.post("/v1/webhooks", json=body)).content)

    async def webhooks(self) -> tuple[Webhook, ...]:
        """List the webhooks of all projects, oldest first."""
        return WebhookList.model_validate_json((await self._connection.get("/v1/webhooks")).content).webhooks

    async def delete_webhook(self, webhook_id: str) -> None:
        """Remove a webhook.

        Raises:
            NotFound: there is none of this id.
        """
        await self._connection.delete(webhook_path(webhook_id))

    async def test_webhook(self, webhook_id: str) -> Delivery:
        """Have a test message sent; `deliveries` tells what became of it.

        Raises:
            NotFound: there is no webhook of this id.
        """
        answer = await self._connection.post(f"{webhook_path(webhook_id)}/test")
        return Delivery.model_validate_json(answer.content)

    async def deliveries(self, webhook_id: str, *, limit: int = 100) -> tuple[Delivery, ...]:
        """List what was sent to a webhook, newest first.

        Raises:
            NotFound: there is no webhook of this id.
        """
        answer = await self._connection.get(f"{webhook_path(webhook_id)}/deliveries", {"limit": limit})
        return DeliveryList.model_validate_json(answer.content).deliveries
