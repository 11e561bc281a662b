"""Trust the tokens that other issuers give to CI jobs."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from service.errors import documented
from service.handlers.parameters import Admin, OnProcess
from service.logic import trust
from shipway.models.token import TokenId
from shipway.models.trust import TrustRequest, TrustRule

router = APIRouter(prefix="/v1/trust", responses=documented(422), tags=["tokens"])


class TrustList(BaseModel):
    """Rules, oldest first."""

    rules: list[TrustRule]


@router.post(
    "",
    status_code=201,
    summary="Trust tokens of another issuer",
    description="A CI job then sends the token that its issuer (OpenID Connect) gave it as `Authorization: Bearer …`, "
    "and has the rights of the oldest rule that the token fits: issuer, audience and every claim.",
)
async def create(body: TrustRequest, process: OnProcess, caller: Admin) -> TrustRule:
    return await trust.create(process, caller, body)


@router.get("", summary="List the trust rules of all projects")
async def list_rules(process: OnProcess, _: Admin) -> TrustList:
    return TrustList(rules=await trust.listed(process))


@router.delete("/{id}", status_code=204, summary="Trust no longer", responses=documented(404))
async def delete(id: TokenId, process: OnProcess, caller: Admin) -> Response:  # noqa: A002  (the route's own word)
    await trust.delete(process, caller, id)
    return Response(status_code=204)
