"""What is reckoned from a job's record. Apart from the models: `shipway build` shows it without loading Pydantic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shipway.models.states import StepStatus

if TYPE_CHECKING:
    from shipway.models.event import Step
    from shipway.models.job import Job

_FROM = re.compile(r"(?:\[[^\]]*\] )?FROM\s", re.IGNORECASE)
"""How both builders begin the name of a FROM: `[2/3] FROM …`, `FROM …`."""


def names_of(job: Job) -> tuple[str, ...]:
    """The names a job's spec gives to images, or else those of what it is about."""
    spec = job.spec
    about = getattr(spec, "image", None) or getattr(spec, "container", None)
    return tuple(getattr(spec, "tags", ()) or getattr(spec, "images", ()) or ([about] if about else []))


def counted_steps(steps: tuple[Step, ...]) -> list[Step]:
    """The steps that ended and count in figures: the user's own without FROM, which runs nothing.

    BuildKit calls the FROM of a local image executed and the classic builder calls it nothing at all; counted, a build
    in which nothing changed would not come out as cached in whole.
    """
    unended = (StepStatus.RUNNING, StepStatus.CANCELLED)
    return [s for s in steps if not s.internal and s.status not in unended and not _FROM.match(s.name)]


def cache_hit_ratio(steps: tuple[Step, ...]) -> float | None:
    """Cached ÷ all counted steps, or None when there are none."""
    counted = counted_steps(steps)
    if not counted:
        return None
    return sum(s.status == StepStatus.CACHED for s in counted) / len(counted)
