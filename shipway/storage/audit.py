"""The audit log in Redis: a stream of a limited length. The service's own log holds every entry as well."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from shipway.models.audit import AuditEntry
from shipway.storage import keys

LENGTH = 100_000
"""Entries that are kept."""


class AuditLog:
    """Appends and reads entries."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def append(self, fields: dict[str, str]) -> None:
        """Add what an entry holds but for its id and time, which are Redis's own."""
        entry: Any = fields
        await self._redis.xadd(keys.AUDIT, entry, maxlen=LENGTH, approximate=True)

    async def page(self, before: str | None, limit: int) -> list[AuditEntry]:
        """Read the newest entries, newest first, older than `before`."""
        if before is not None and not int(before.replace("-", "")):
            return []  # nothing is older than the first possible id, and Redis refuses to look
        newest = "+" if before is None else f"({before}"
        entries: Any = await self._redis.xrevrange(keys.AUDIT, max=newest, count=limit)
        return [
            AuditEntry.model_validate({**fields, "id": entry_id, "at": int(entry_id.partition("-")[0]) / 1000})
            for entry_id, fields in entries
        ]
