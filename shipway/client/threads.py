"""Run blocking work beside the event loop, with a bound on what waits in between.

A daemon thread, not an executor: a read from a terminal or a stuck pipe can't be interrupted, and an executor's
threads would keep the process from ending after Ctrl-C.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

DEPTH = 8
"""How many items may wait for the loop; chunks of an upload have 256 KiB."""


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _End:
    fault: Exception | None


async def iterate_in_thread(make: Callable[[], Iterable[T]]) -> AsyncGenerator[T, None]:
    """Yield what a blocking iterable yields; `make` and the iteration run in a thread of their own.

    The thread stops at its next item once this generator is closed.

    Raises:
        Exception: whatever the iterable raised.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[_Item[T] | _End] = asyncio.Queue()
    room = threading.Semaphore(DEPTH)
    stopped = threading.Event()

    def hand_over(item: _Item[T] | _End) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(arrived.put_nowait, item)

    def work() -> None:
        fault: Exception | None = None
        try:
            for value in make():
                room.acquire()
                if stopped.is_set():
                    return
                hand_over(_Item(value))
        except Exception as error:  # noqa: BLE001  (it is raised again where the items are taken)
            fault = error
        hand_over(_End(fault))

    threading.Thread(target=work, name="shipway-upload", daemon=True).start()
    try:
        while isinstance(item := await arrived.get(), _Item):
            room.release()
            yield item.value
        if item.fault is not None:
            raise item.fault
    finally:
        stopped.set()
        room.release()


async def call_in_thread(function: Callable[[], T]) -> T:
    """Return what a blocking function returns, without blocking the loop."""
    results = [result async for result in iterate_in_thread(lambda: (function(),))]
    return results[0]
