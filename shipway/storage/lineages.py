"""Where builds of one lineage left their steps last: the worker, and the image in a registry."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis

from shipway.storage import keys


@dataclass(frozen=True, slots=True)
class Left:
    """The last image of a lineage that was pushed, and the worker that built it."""

    worker: str
    reference: str


class LineageStore:
    """The last pushed image of every lineage, each project for itself."""

    def __init__(self, redis: Redis, retention: float) -> None:
        self._redis = redis
        self._retention = int(retention)

    async def leave(self, project: str, lineage: Sequence[str], left: Left) -> None:
        """Let an image be the last of a lineage."""
        value = f"{left.worker} {left.reference}"
        await self._redis.set(keys.lineage(project, _digest(lineage)), value, ex=self._retention)

    async def last(self, project: str, lineage: Sequence[str]) -> Left | None:
        """The last image of a lineage, or None."""
        value = cast("str | None", await self._redis.get(keys.lineage(project, _digest(lineage))))
        return Left(*value.split(" ")) if value else None


def _digest(lineage: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(lineage).encode()).hexdigest()
