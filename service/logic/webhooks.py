"""The rules for webhooks: who may be told of jobs, and how many there are. `workers.postman` delivers."""

from __future__ import annotations

from urllib.parse import urlsplit

from service.logic import audit
from service.process import Process
from shipway.egress import Egress
from shipway.exceptions import Conflict, InvalidRequest, NotFound
from shipway.models.token import Caller
from shipway.models.webhook import Delivery, NewWebhook, Webhook, WebhookRequest
from shipway.storage.redis import reaching_redis


async def create(process: Process, caller: Caller, wanted: WebhookRequest) -> NewWebhook:
    """Tell somebody of a project's jobs from now on; the secret is in this answer only.

    Raises:
        InvalidRequest: its URL leads to an address that is not public (`webhook-forbidden`).
        Conflict: the project has as many as it may (`webhooks-full`).
        Unavailable: Redis is away, or there is no key to seal the secret with.
    """
    _check_address(process, wanted.url)
    project = wanted.project or caller.project
    most = process.settings.limits_of(project).max_webhooks
    async with reaching_redis():
        if await process.webhooks.count(project) >= most:
            raise Conflict(
                f"the project has {most} webhooks, which is as many as it may",
                slug="webhooks-full",
            )
        made = await process.webhooks.create(project, wanted)
    await audit.note(process, caller, "webhook.create", made.id)
    return made


async def listed(process: Process) -> list[Webhook]:
    """List the webhooks of all projects, oldest first.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        return await process.webhooks.all()


async def delete(process: Process, caller: Caller, webhook_id: str) -> None:
    """Tell this one nothing from now on.

    Raises:
        NotFound: there is none of this id.
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        await process.webhooks.delete(await _find(process, webhook_id))
    await audit.note(process, caller, "webhook.delete", webhook_id)


async def ping(process: Process, caller: Caller, webhook_id: str) -> Delivery:
    """Have a test message sent.

    Raises:
        NotFound: there is no webhook of this id.
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        await _find(process, webhook_id)
        test = await process.webhooks.ping(webhook_id)
    await audit.note(process, caller, "webhook.test", webhook_id)
    return test


async def deliveries(process: Process, webhook_id: str, limit: int) -> list[Delivery]:
    """List what was sent to a webhook, newest first.

    Raises:
        NotFound: there is no webhook of this id.
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        await _find(process, webhook_id)
        return (await process.webhooks.deliveries(webhook_id))[:limit]


async def _find(process: Process, webhook_id: str) -> Webhook:
    found = await process.webhooks.find(webhook_id)
    if found is None:
        raise NotFound(f"there is no webhook {webhook_id!r}", slug="webhook-unknown", field="id")
    return found[0]


def _check_address(process: Process, url: str) -> None:
    """Refuse at once what would be refused at every delivery. A name is judged when it is connected to."""
    try:
        permitted = Egress(process.settings.fetch_allow).permits(urlsplit(url).hostname or "")
    except ValueError:  # no address, but a name
        return
    if not permitted:
        raise InvalidRequest(
            "the URL leads to an address that is not public; the operator can allow it by SHIPWAY_FETCH_ALLOW",
            slug="webhook-forbidden",
            field="url",
        )
