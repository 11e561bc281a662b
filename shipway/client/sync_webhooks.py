"""`shipway.client.webhooks` for code without asyncio."""

from __future__ import annotations

from collections.abc import Sequence

from shipway.client.aio import AsyncClient
from shipway.client.portal import Portal
from shipway.models.job import JobState
from shipway.models.spec import Kind
from shipway.models.webhook import Delivery, NewWebhook, Webhook


class SyncWebhooks:
    """`Webhooks` for code without asyncio: the same names, arguments and errors."""

    _client: AsyncClient
    _portal: Portal

    def create_webhook(
        self,
        url: str,
        *,
        project: str | None = None,
        kinds: Sequence[Kind | str] | None = None,
        states: Sequence[JobState | str] | None = None,
    ) -> NewWebhook:
        """See `AsyncClient.create_webhook`."""
        return self._portal.run(self._client.create_webhook(url, project=project, kinds=kinds, states=states))

    def webhooks(self) -> tuple[Webhook, ...]:
        """See `AsyncClient.webhooks`."""
        return self._portal.run(self._client.webhooks())

    def delete_webhook(self, webhook_id: str) -> None:
        """See `AsyncClient.delete_webhook`."""
        self._portal.run(self._client.delete_webhook(webhook_id))

    def test_webhook(self, webhook_id: str) -> Delivery:
        """See `AsyncClient.test_webhook`."""
        return self._portal.run(self._client.test_webhook(webhook_id))

    def deliveries(self, webhook_id: str, *, limit: int = 100) -> tuple[Delivery, ...]:
        """See `AsyncClient.deliveries`."""
        return self._portal.run(self._client.deliveries(webhook_id, limit=limit))
