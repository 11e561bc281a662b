"""Ctrl-C during commands that need an event loop; see `shipway.cli.interruption`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from shipway.cli.interruption import SIGNALS, Interrupted

T = TypeVar("T")


class InterruptionOnLoop:
    """Watches within a running loop: work that is given up is cancelled."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._loop.add_signal_handler(number, self._arrived, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, where: TracebackType | None
    ) -> None:
        for number in SIGNALS:
            self._loop.remove_signal_handler(number)

    async def unless_asked(self, work: Coroutine[Any, Any, T]) -> T:
        """See `Interruption`."""
        task = asyncio.create_task(work)
        asked = asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Interrupted
            return task.result()
        finally:
            await _end(task)
            await _end(asked)

    def _arrived(self, number: int) -> None:
        if self.signal is None:
            self.signal = number
            self._asked.set()
        elif self._task is not None:
            self._task.cancel()


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
