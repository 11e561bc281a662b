"""Clean-up that a cancellation must not cut short."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


async def finish(work: Coroutine[Any, Any, object], *, limit: float) -> None:
    """Run clean-up to its end (or `limit` seconds), also when the task that waits for it is cancelled again.

    Clean-up reports no errors: it follows an error that counts more. What it raises is logged.
    """
    task = asyncio.ensure_future(asyncio.wait_for(work, limit))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled() and (failure := task.exception()) is not None:
        log.warning("cleaning up after a build failed: %r", failure)
    if cancelled is not None:
        raise cancelled
