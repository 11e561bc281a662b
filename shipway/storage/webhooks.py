"""Webhooks in Redis, and what is due to be delivered to each.

The script that ends a job also makes its message due (`tell` in `scripts/prelude.lua`): no end goes untold.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import Any, cast

from redis.asyncio import Redis
from ulid import ULID

from shipway.models.webhook import PING, Delivery, NewWebhook, Subscription, Webhook
from shipway.storage import keys
from shipway.storage.redis import Scripts
from shipway.storage.sealing import Sealer

SECRET = 32
"""Random bytes of a secret."""
WHSEC = "whsec_"
LOGGED = 1000
"""Deliveries of one webhook that are remembered."""


class _Record(Webhook):
    sealed: str


class WebhookStore:
    """All reads and writes of webhooks."""

    def __init__(self, redis: Redis, sealer: Sealer, retention: float) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._sealer = sealer
        self._retention = int(retention)

    async def create(self, project: str, wanted: Subscription) -> NewWebhook:
        """Make a webhook with a new secret.

        Raises:
            Unavailable: this service has no key to seal the secret with.
        """
        secret = WHSEC + base64.b64encode(secrets.token_bytes(SECRET)).decode()
        seconds, micros = await self._redis.time()
        made = Webhook(
            **wanted.model_dump(include=set(Subscription.model_fields)),
            id=secrets.token_hex(8),
            project=project,
            created=float(seconds) + float(micros) / 1e6,
        )
        record = _Record(**made.model_dump(), sealed=self._sealer.lock(secret.encode()))
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(keys.webhooks(project), made.id, record.model_dump_json())
        pipe.hset(keys.WEBHOOKS, made.id, project)
        await pipe.execute()
        return NewWebhook(**made.model_dump(), secret=secret)

    async def count(self, project: str) -> int:
        """How many webhooks a project has."""
        return int(await cast("Any", self._redis.hlen(keys.webhooks(project))))

    async def find(self, webhook_id: str) -> tuple[Webhook, str] | None:
        """Read a webhook and its sealed secret; None when there is none."""
        project = cast("str | None", await self._redis.hget(keys.WEBHOOKS, webhook_id))
        raw = await self._redis.hget(keys.webhooks(project), webhook_id) if project else None
        if raw is None:
            return None
        record = _Record.model_validate_json(raw)
        return _listed(record), record.sealed

    async def all(self) -> list[Webhook]:
        """List the webhooks of all projects, oldest first."""
        projects = sorted(set(cast("list[str]", await self._redis.hvals(keys.WEBHOOKS))))
        pipe = self._redis.pipeline(transaction=False)
        for project in projects:
            pipe.hvals(keys.webhooks(project))
        found = [_Record.model_validate_json(raw) for raws in await pipe.execute() for raw in raws]
        return sorted(map(_listed, found), key=lambda webhook: (webhook.created, webhook.id))

    async def delete(self, webhook: Webhook) -> None:
        """Tell this one nothing from now on, and forget what it was told."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hdel(keys.webhooks(webhook.project), webhook.id)
        pipe.hdel(keys.WEBHOOKS, webhook.id)
        pipe.zrem(keys.DELIVERIES, webhook.id)
        pipe.delete(keys.webhook_due(webhook.id), keys.webhook_log(webhook.id))
        await pipe.execute()

    async def ping(self, webhook_id: str) -> Delivery:
        """Make a test message due."""
        seconds, _ = await self._redis.time()
        test = Delivery(id=str(ULID()), type=PING, at=float(seconds))
        await self._note(webhook_id, test)
        await self._scripts.call("ping", [], [webhook_id, test.id, self._retention])
        return test

    async def deliveries(self, webhook_id: str) -> list[Delivery]:
        """List what was sent to a webhook, newest first."""
        raws = cast("list[str]", await self._redis.hvals(keys.webhook_log(webhook_id)))
        return sorted(map(Delivery.model_validate_json, raws), key=lambda delivery: delivery.id, reverse=True)

    async def take(self, count: int, hold: float) -> list[str]:
        """Take up to so many webhooks that something is due to; nobody else takes them for `hold` seconds."""
        taken: list[str] = await self._scripts.call("take", [keys.DELIVERIES], [hold * 1000, count])
        return taken

    async def release(self, webhook_id: str) -> None:
        """Let others take it, when something is due to it."""
        await self._scripts.call("untake", [keys.DELIVERIES, keys.webhook_due(webhook_id)], [webhook_id])

    async def next_due(self, webhook_id: str) -> Delivery | None:
        """The message to a webhook that is due longest, with what became of it so far; None when none is due.

        One that was never sent has no type yet.
        """
        seconds, micros = await self._redis.time()
        now = float(seconds) + float(micros) / 1e6
        due = cast(
            "Sequence[str]",
            await self._redis.zrangebyscore(keys.webhook_due(webhook_id), "-inf", now * 1000, start=0, num=1),
        )
        if not due:
            return None
        raw = await self._redis.hget(keys.webhook_log(webhook_id), due[0])
        return Delivery.model_validate_json(raw) if raw else Delivery(id=due[0], type="", at=now)

    async def settle(self, webhook_id: str, delivery: Delivery) -> None:
        """Note what became of an attempt; it is due again at `next`, if that is set."""
        if delivery.next is None:
            await self._redis.zrem(keys.webhook_due(webhook_id), delivery.id)
        else:
            await self._redis.zadd(keys.webhook_due(webhook_id), {delivery.id: delivery.next * 1000}, xx=True)
        await self._note(webhook_id, delivery)

    async def _note(self, webhook_id: str, delivery: Delivery) -> None:
        log = keys.webhook_log(webhook_id)
        await self._scripts.call(
            "note", [log], [delivery.id, delivery.model_dump_json(exclude_none=True), self._retention, LOGGED]
        )


def _listed(record: _Record) -> Webhook:
    return Webhook.model_validate(record.model_dump(exclude={"sealed"}))
