"""Rules of trust in Redis."""

from __future__ import annotations

import secrets
from typing import Any

from redis.asyncio import Redis

from shipway.models.trust import TrustRequest, TrustRule
from shipway.storage import keys


class TrustStore:
    """All reads and writes of rules of trust."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def create(self, wanted: TrustRequest) -> TrustRule:
        """Keep a rule."""
        seconds, micros = await self._redis.time()
        rule = TrustRule(**wanted.model_dump(), id=secrets.token_hex(8), created=float(seconds) + float(micros) / 1e6)
        await self._redis.hset(keys.TRUST, rule.id, rule.model_dump_json())
        return rule

    async def exists(self, rule_id: str) -> bool:
        """Whether there is such a rule."""
        return bool(await self._redis.hexists(keys.TRUST, rule_id))

    async def all(self) -> list[TrustRule]:
        """List the rules of all projects, oldest first."""
        stored: Any = await self._redis.hvals(keys.TRUST)
        return sorted((TrustRule.model_validate_json(raw) for raw in stored), key=lambda rule: (rule.created, rule.id))

    async def delete(self, rule_id: str) -> bool:
        """Trust no longer; returns whether there was such a rule."""
        return bool(await self._redis.hdel(keys.TRUST, rule_id))
