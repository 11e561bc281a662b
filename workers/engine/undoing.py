"""Calls that make something in the daemon, and must not leave it behind when they are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from workers.engine.finishing import finish

T = TypeVar("T")

UNDOING = 2.0
"""Seconds that a cancelled call gets to end and be undone before its connection is closed."""


async def made(work: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[object]]) -> T:
    """Return what `work` makes. If cancelled meanwhile, let it end, undo it, then go on with the cancellation.

    The daemon does not stop creating or committing a container because the client goes away, and only its answer
    tells what to remove.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await finish(_undone(task, undo), limit=UNDOING)
        raise


async def _undone(task: asyncio.Future[T], undo: Callable[[T], Awaitable[object]]) -> None:
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None:
        await undo(task.result())
