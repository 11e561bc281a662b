"""The rules for tokens: who makes them, sees them and takes them back."""

from __future__ import annotations

from service.logic import audit
from service.process import Process
from shipway.exceptions import NotFound
from shipway.models.token import Caller, NewToken, Token, TokenRequest
from shipway.storage.redis import reaching_redis


async def create(process: Process, caller: Caller, wanted: TokenRequest) -> NewToken:
    """Make a token; its secret is in this answer only.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        made = await process.tokens.create(wanted.name, wanted.rights, wanted.lifetime)
    await audit.note(process, caller, "token.create", made.id)
    return made


async def listed(process: Process) -> list[Token]:
    """List all tokens, newest first.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        return await process.tokens.all()


async def revoke(process: Process, caller: Caller, token_id: str) -> None:
    """Take a token back: no request is taken with it from now on.

    Raises:
        NotFound: there is none of this id.
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        if not await process.tokens.revoke(token_id):
            raise NotFound(f"there is no token {token_id!r}", slug="token-unknown", field="id")
    await audit.note(process, caller, "token.revoke", token_id)
