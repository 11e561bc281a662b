"""Tells the pool's processes that the worker stops: they finish within the grace period or hand back."""

from __future__ import annotations

import multiprocessing
import time

_deadline = multiprocessing.Value("d", 0.0)
"""Shared by all processes of the pool since it is made before they fork; 0 while nothing stops."""


def begin(grace: float) -> None:
    """Stop: running jobs get `grace` seconds."""
    _deadline.value = time.monotonic() + grace


def stopping() -> bool:
    """Whether the worker stops."""
    return bool(_deadline.value > 0)


def overdue() -> bool:
    """Whether the grace period is over."""
    return stopping() and time.monotonic() >= _deadline.value
