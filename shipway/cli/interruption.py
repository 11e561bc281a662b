"""Ctrl-C during a build: once asks for an end in good order, twice leaves at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What a terminal and what a CI system sends."""


class Interrupted(Exception):
    """The user wants no more of it, and nothing has been started yet."""


class Interruption:
    """Watches for signals while used as a context manager, within a running loop.

    Attributes:
        signal: the first one that arrived, or None.
        asked: set with the first signal.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._loop.add_signal_handler(number, self._arrived, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, where: TracebackType | None
    ) -> None:
        for number in _SIGNALS:
            self._loop.remove_signal_handler(number)

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as shells count; 130 for Ctrl-C."""
        return 128 + (self.signal or signal.SIGINT)

    async def unless_asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that can be given up without a trace.

        Raises:
            Interrupted: a signal came first; the work is cancelled.
        """
        task = asyncio.create_task(work)
        asked = asyncio.create_task(self.asked.wait())
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
            self.asked.set()
        elif self._task is not None:
            self._task.cancel()


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
