"""Waits for a condition with a limit, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(predicate: Callable[[], object], limit: float = 10.0, *, every: float = 0.05) -> bool:
    """Ask `predicate` until it answers something true.

    Args:
        predicate: asked at once, then every `every` seconds, and a last time at the limit.
        limit: seconds to wait at most.
        every: seconds between two questions.

    Returns:
        Whether it became true in time.
    """
    deadline = time.monotonic() + limit
    while not predicate():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(every, left))
    return True
