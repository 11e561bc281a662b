"""Tell others by HTTP that jobs have ended."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from service.errors import documented
from service.handlers.parameters import Admin, Number, OnProcess
from service.logic import webhooks
from shipway.models.token import TokenId
from shipway.models.webhook import Delivery, NewWebhook, Webhook, WebhookRequest

router = APIRouter(prefix="/v1/webhooks", responses=documented(422), tags=["webhooks"])


class WebhookList(BaseModel):
    """Webhooks without their secrets, oldest first."""

    webhooks: list[Webhook]


class DeliveryList(BaseModel):
    """What was sent, newest first."""

    deliveries: list[Delivery]


@router.post(
    "",
    status_code=201,
    summary="Make a webhook",
    description="From now on a message is posted to the URL for every job of the project that ends and fits. It is "
    "signed as the Standard Webhooks specification says, and sent again until it is answered with 2xx, for some hours.",
    responses=documented(409),
)
async def create(body: WebhookRequest, process: OnProcess, caller: Admin) -> NewWebhook:
    return await webhooks.create(process, caller, body)


@router.get("", summary="List the webhooks of all projects")
async def list_webhooks(process: OnProcess, _: Admin) -> WebhookList:
    return WebhookList(webhooks=await webhooks.listed(process))


@router.delete("/{id}", status_code=204, summary="Remove a webhook", responses=documented(404))
async def delete(id: TokenId, process: OnProcess, caller: Admin) -> Response:  # noqa: A002  (the route's own word)
    await webhooks.delete(process, caller, id)
    return Response(status_code=204)


@router.post("/{id}/test", status_code=202, summary="Have a test message sent", responses=documented(404))
async def test(id: TokenId, process: OnProcess, caller: Admin) -> Delivery:  # noqa: A002
    return await webhooks.ping(process, caller, id)


@router.get("/{id}/deliveries", summary="List what was sent, newest first", responses=documented(404))
async def list_deliveries(
    id: TokenId,  # noqa: A002
    process: OnProcess,
    _: Admin,
    limit: Annotated[Number, Query(ge=1, le=1000)] = 100,
) -> DeliveryList:
    return DeliveryList(deliveries=await webhooks.deliveries(process, id, limit))
