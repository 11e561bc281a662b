"""Tokens in Redis: their rights and a hash of each secret, never the secret itself."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shipway.exceptions import Unauthorized
from shipway.models.token import NewToken, Rights, Token
from shipway.storage import keys

FORM = re.compile(r"shipway_([0-9a-f]{16})_([0-9a-f]{64})")
AFTERLIFE = 7 * 86_400
"""Seconds for which a token that has expired is still told apart from one that never was."""
NOTED = 60.0
"""Seconds within which a token's use is noted once."""


class _Record(Token):
    hash: str


class TokenStore:
    """All reads and writes of tokens. Nothing is kept in memory: what one process revokes, no other accepts."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def create(self, name: str, rights: Rights, lifetime: float | None = None) -> NewToken:
        """Make a token that expires after `lifetime` seconds, or never."""
        now = await self._now()
        token_id, secret = secrets.token_hex(8), secrets.token_hex(32)
        token = Token(
            **rights.model_dump(),
            id=token_id,
            name=name,
            created=now,
            expires=None if lifetime is None else now + lifetime,
        )
        record = _Record(**token.model_dump(), hash=_hash(secret))
        pipe = self._redis.pipeline(transaction=True)
        pipe.set(
            keys.token(token_id),
            record.model_dump_json(exclude={"last_used"}),
            ex=None if lifetime is None else int(lifetime) + AFTERLIFE,
        )
        pipe.zadd(keys.TOKENS, {token_id: 0})
        await pipe.execute()
        return NewToken(**token.model_dump(), token=f"shipway_{token_id}_{secret}")

    async def check(self, text: str) -> Token:
        """Find the token that is written so.

        Raises:
            Unauthorized: there is none (`token-invalid`), or it has expired (`token-expired`).
        """
        form = FORM.fullmatch(text)
        if form is None:
            raise _invalid()
        token_id, secret = form.groups()
        pipe = self._redis.pipeline(transaction=False)
        pipe.get(keys.token(token_id))
        pipe.zscore(keys.TOKENS, token_id)
        pipe.time()
        raw, used, time = await pipe.execute()
        if raw is None or used is None:
            raise _invalid()
        record = _Record.model_validate_json(raw)
        if not hmac.compare_digest(record.hash, _hash(secret)):
            raise _invalid()
        now = _seconds(time)
        if record.expires is not None and now >= record.expires:
            raise Unauthorized("this token has expired; ask for a new one", slug="token-expired")
        if now - used > NOTED:
            with suppress(RedisError):  # a Redis that is full still serves who only reads
                await self._redis.zadd(keys.TOKENS, {token_id: now}, xx=True)
        return _listed(record, used)

    async def exists(self, token_id: str) -> bool:
        """Whether there is such a token, expired or not."""
        return bool(await self._redis.exists(keys.token(token_id)))

    async def all(self) -> list[Token]:
        """List the tokens of all projects, newest first; those long expired are forgotten."""
        uses: Any = await self._redis.zrange(keys.TOKENS, 0, -1, withscores=True)
        pipe = self._redis.pipeline(transaction=False)
        for token_id, _ in uses:
            pipe.get(keys.token(token_id))
        found = []
        for (token_id, used), raw in zip(uses, await pipe.execute(), strict=True):
            if raw is None:
                await self._redis.zrem(keys.TOKENS, token_id)
            else:
                found.append(_listed(_Record.model_validate_json(raw), used))
        return sorted(found, key=lambda token: token.created, reverse=True)

    async def revoke(self, token_id: str) -> bool:
        """Make a token worthless at once; returns whether there was one."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.delete(keys.token(token_id))
        pipe.zrem(keys.TOKENS, token_id)
        deleted, _ = await pipe.execute()
        return bool(deleted)

    async def _now(self) -> float:
        return _seconds(await self._redis.time())


def _hash(secret: str) -> str:
    """One round is enough: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _seconds(time: tuple[int, int]) -> float:
    return float(time[0]) + float(time[1]) / 1e6


def _listed(record: _Record, used: float) -> Token:
    return Token.model_validate(record.model_dump(exclude={"hash"}) | {"last_used": used or None})


def _invalid() -> Unauthorized:
    return Unauthorized("this token is not valid here: unknown, revoked, or mistyped", slug="token-invalid")
