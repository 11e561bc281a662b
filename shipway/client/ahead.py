"""Sends a directory while it is still being looked at: reading and hashing many files takes as long as sending them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, suppress
from itertools import chain
from queue import Empty, SimpleQueue

from shipway.client.ground import Ground
from shipway.client.packing import Packing
from shipway.client.snapshot import Snapshot
from shipway.client.statcache import Tree

Ask = Callable[[list[str]], Awaitable[list[str]]]
"""Which of some packs are missing, by name."""
Send = Callable[[Iterator[str]], Awaitable[None]]
"""Sends packs, whose names it draws one by one."""


class LookingAhead:
    """One look at one tree. What it sends is sent early and no more than that: whether all is there is asked later.

    Args:
        ground: where it waits.
        tree: what is looked at.
        packing: its packs.
    """

    def __init__(self, ground: Ground, tree: Tree, packing: Packing) -> None:
        self._ground = ground
        self._tree = tree
        self._packing = packing
        self._seen = Waiting()
        self._wanted = Waiting()
        self._found: list[Snapshot] = []

    async def run(self, ask: Ask, send: Send, streams: int) -> Snapshot:
        """Look; meanwhile ask for what was seen, and send what is missing of it on some streams at the same time.

        Raises:
            ExceptionGroup: what any of it raises.
        """
        await self._ground.together([self._look(), self._ask(ask), *(self._send(send) for _ in range(streams))])
        return self._found[0]

    async def _look(self) -> None:
        try:
            self._found.append(
                await self._ground.call(lambda: Snapshot(self._tree, packing=self._packing, announce=self._seen.put))
            )
        finally:
            self._seen.close()
        await self._ground.call(lambda: self._found[0].lines)  # made now, they need not be made when all is sent

    async def _ask(self, ask: Ask) -> None:
        try:
            async with aclosing(self._ground.iterate(self._seen.batches)) as batches:
                async for names in batches:
                    missing = await ask(names)
                    self._packing.let_go(set(names).difference(missing))
                    self._wanted.put(missing)
        finally:
            self._wanted.close()

    async def _send(self, send: Send) -> None:
        first = await self._ground.call(lambda: next(self._wanted, None))
        if first is not None:
            await send(chain((first,), self._wanted))


class Waiting(Iterator[str]):
    """Names that one thread puts and others take, each once; they wait for them until it is closed."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[str] = SimpleQueue()

    def put(self, names: list[str]) -> None:
        """Let others have names."""
        for name in names:
            self._queue.put(name)

    def close(self) -> None:
        """Let nobody wait any longer than for what was put."""
        self._queue.put(_END)

    def __next__(self) -> str:
        name = self._queue.get()
        if name == _END:
            self.close()  # for the next who waits
            raise StopIteration
        return name

    def batches(self) -> Iterator[list[str]]:
        """Yield what is there as soon as there is any, then what gathers in a while; for one who takes alone."""
        next_at = 0.0
        for name in self:
            names = [name]
            with suppress(Empty):
                while (other := self._queue.get(timeout=max(0.0, next_at - time.monotonic()))) != _END:
                    names.append(other)
                self.close()
            next_at = time.monotonic() + _GATHERING
            yield names


_GATHERING = 0.05
"""Seconds in which names gather before the next question."""
_END = ""
"""Behind the last name."""
