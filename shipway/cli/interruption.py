"""Ctrl-C during a job: once asks for an end in good order, twice leaves at once."""

from __future__ import annotations

import signal
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What a terminal and what a CI system sends."""


class Interrupted(BaseException):
    """The user wants no more of it. As KeyboardInterrupt, it is nothing that code in between should handle."""


class Interruption(Protocol):
    """Watches for signals while used as a context manager.

    Attributes:
        signal: the first one that arrived, or None.
    """

    signal: int | None

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, where: TracebackType | None
    ) -> None: ...

    async def unless_asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that can be given up without a trace.

        Raises:
            Interrupted: a signal came first; the work is given up.
        """


def exit_code(interruption: Interruption) -> int:
    """128 + the signal's number, as shells count; 130 for Ctrl-C."""
    return 128 + (interruption.signal or signal.SIGINT)


class InterruptionAlone:
    """Of coroutines that stand on `Alone`: the signal breaks whatever system call they wait in."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._given_up_easily = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._arrived) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, where: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    async def unless_asked(self, work: Coroutine[Any, Any, T]) -> T:
        """See `Interruption`."""
        if self.signal is not None:
            work.close()
            raise Interrupted
        self._given_up_easily = True
        try:
            return await work
        finally:
            self._given_up_easily = False

    def _arrived(self, number: int, _: object) -> None:
        first, self.signal = self.signal is None, self.signal or number
        if self._given_up_easily or not first:
            self._given_up_easily = False
            raise Interrupted
