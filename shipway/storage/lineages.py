"""Where builds of one lineage left their steps last: the worker, and the image in a registry."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis

from shipway.models.event import Step, StepStatus
from shipway.models.job import counted_steps
from shipway.models.spec import BuildSpec
from shipway.storage import keys

_PLACE = re.compile(r" ?[0-9]+/[0-9]+\]")
"""Where a step stands among those of its stage, as BuildKit names it."""


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

    async def leave(self, project: str, spec: BuildSpec, left: Left) -> None:
        """Let an image be the last of a lineage."""
        value = f"{left.worker} {left.reference}"
        await self._redis.set(keys.lineage(project, lineage_digest(project, spec)), value, ex=self._retention)

    async def last(self, project: str, spec: BuildSpec) -> Left | None:
        """The last image of a lineage, or None."""
        value = cast("str | None", await self._redis.get(keys.lineage(project, lineage_digest(project, spec))))
        return Left(*value.split(" ")) if value else None

    async def saved(self, project: str, spec: BuildSpec, steps: tuple[Step, ...]) -> float | None:
        """Tell what the cached steps of a build took when they last ran in its lineage; remember what the others took.

        Returns:
            Seconds, of those steps of which it is known; None when it is known of none.
        """
        counted = counted_steps(steps)
        if not counted:
            return None
        key = keys.lineage_steps(project, lineage_digest(project, spec))
        looking = self._redis.pipeline(transaction=False)
        looking.hgetall(key)
        looking.expire(key, self._retention)
        known = {name: float(took) for name, took in cast("dict[str, str]", (await looking.execute())[0]).items()}
        cached = [known[_name(s)] for s in counted if s.status is StepStatus.CACHED and _name(s) in known]
        ran = {_name(s): round(_took(s), 3) for s in counted if s.status is StepStatus.EXECUTED}
        now = {_name(s): known[_name(s)] for s in counted if _name(s) in known} | ran
        if now != known:
            pipe = self._redis.pipeline(transaction=True)
            pipe.delete(key)
            if now:
                pipe.hset(key, mapping=cast("Any", now))
                pipe.expire(key, self._retention)
            await pipe.execute()
        return round(sum(cached), 3) if cached else None


def _name(step: Step) -> str:
    """A step's name without its place among the others: `[build 2/4] RUN make` is `[build] RUN make`."""
    return _PLACE.sub("]", step.name, count=1)


def _took(step: Step) -> float:
    return max(0.0, (step.completed or 0) - (step.started or step.completed or 0))


def lineage_digest(project: str, spec: BuildSpec) -> str:
    """Name what builds of a project have in common that are likely to share their steps."""
    return hashlib.sha256("\0".join((project, *spec.lineage)).encode()).hexdigest()
