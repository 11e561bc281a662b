"""Calls that make something in the daemon, and must not leave it behind when they are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from workers.engine.finishing import finish

T = TypeVar("T")


async def made(work: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[object]], *, limit: float) -> T:
    """Return what `work` makes. If cancelled meanwhile, let it end, undo it, then go on with the cancellation.

    The daemon does not stop creating or committing a container because the client goes away, and only its answer
    tells what to remove. What takes longer than `limit` seconds stays.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await finish(_undone(task, undo), limit=limit)
        raise


async def _undone(task: asyncio.Future[T], undo: Callable[[T], Awaitable[object]]) -> None:
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None:
        await undo(task.result())
