"""Make, see and revoke tokens."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from service.errors import documented
from service.handlers.parameters import Admin, Anyone, OnProcess
from service.logic import tokens
from shipway.models.token import Caller, NewToken, Token, TokenId, TokenRequest

router = APIRouter(prefix="/v1/tokens", responses=documented(422), tags=["tokens"])


class TokenList(BaseModel):
    """Tokens without their secrets, newest first."""

    tokens: list[Token]


@router.post("", status_code=201, summary="Make a token")
async def create(body: TokenRequest, process: OnProcess, caller: Admin) -> NewToken:
    return await tokens.create(process, caller, body)


@router.get("", summary="List the tokens of all projects")
async def list_tokens(process: OnProcess, _: Admin) -> TokenList:
    return TokenList(tokens=await tokens.listed(process))


@router.get("/self", summary="Show what the token sent may do")
async def show_self(caller: Anyone) -> Caller:
    return caller


@router.delete("/{id}", status_code=204, summary="Revoke a token", responses=documented(404))
async def revoke(id: TokenId, process: OnProcess, caller: Admin) -> Response:  # noqa: A002  (the route's own word)
    await tokens.revoke(process, caller, id)
    return Response(status_code=204)
