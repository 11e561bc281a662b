"""Tells the pool's processes that the worker stops: they finish within the grace period or hand back."""

from __future__ import annotations

import time
from multiprocessing.sharedctypes import RawValue

_deadline = RawValue("d", 0.0)
"""Shared by all processes of the pool since it is made before they fork; 0 while nothing stops. It has no lock: a
process that was killed while it held one would stop all others for ever, and eight aligned bytes need none."""


def begin(grace: float) -> None:
    """Stop: running jobs get `grace` seconds."""
    _deadline.value = time.monotonic() + grace


def stopping() -> bool:
    """Whether the worker stops."""
    return bool(_deadline.value > 0)


def overdue(by: float = 0.0) -> bool:
    """Whether the grace period is over, by so many seconds."""
    return stopping() and time.monotonic() >= _deadline.value + by
