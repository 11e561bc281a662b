"""Sends a directory to a service that has most of it: asks what is missing, sends that, says what is where.

What has arrived when a connection breaks is not sent again.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any

from shipway.client.ahead import LookingAhead
from shipway.client.connection import ATTEMPTS, Backoff, Connection, may_pass
from shipway.client.packing import Packing
from shipway.client.snapshot import Changes, Snapshot, packed
from shipway.client.statcache import Tree
from shipway.client.update import Update, updated
from shipway.context.limits import MIB
from shipway.context.reading import changed
from shipway.exceptions import ShipwayError

STREAMS = 4
"""Connections over which packs are sent at the same time."""
PATIENCE = 600.0
"""Seconds the service may take over what it was sent."""
AHEAD = 16 * MIB
"""Bytes of a tree from which on packs are sent while the tree is still being looked at."""
NOT_BASED = {"context-base-missing", "context-digest-mismatch", "listing-invalid"}
"""Slugs of a service that can't make the context of another one: it has not got that one, or is older than this."""


class Sending:
    """One directory on its way.

    Args:
        connection: to the service.
        tree: what is to be there.
        on_progress: told the bytes sent so far and those to be sent in all, as nearly as is known.
        on_spared: told the bytes of content that need not be sent.
    """

    def __init__(
        self,
        connection: Connection,
        tree: Tree,
        on_progress: Callable[[int, int | None], None] | None,
        on_spared: Callable[[int], None] | None,
    ) -> None:
        self._connection = connection
        self._tree = tree
        self._packing = Packing()
        self._on_progress = on_progress
        self._on_spared = on_spared
        self._lacking: set[str] = set()
        self._sent = 0
        self._total = 0
        self._counting = threading.Lock()  # streams may run on threads of their own

    async def run(self) -> dict[str, Any]:
        """Send what is missing; returns the context's receipt.

        Raises:
            ContextError: a file can't be read, or is not what it was when it was looked at.
            ShipwayError: the service refuses, or stays away.
        """
        receipt = await self._send_update()
        if receipt is not None:
            return receipt
        snapshot = await self._look()
        if self._lacking:  # sent ahead: the service has never seen this context, and should have all of it
            try:
                return await self._send(snapshot, [])
            except ShipwayError as fault:
                if not _may_go_on(fault):
                    raise
        backoff, left, lacking = Backoff(self._connection.ground), ATTEMPTS, len(self._packing.packs) + 1
        while True:
            receipt, missing = await self._ask(snapshot.digest, list(self._packing.packs))
            if receipt is not None:
                self._spare(snapshot)
                return receipt
            if len(missing) < lacking:  # as long as it gets on, it may go on
                left, lacking = ATTEMPTS, len(missing)
                backoff.reset()
            left -= 1
            try:
                return await self._send(snapshot, missing)
            except ShipwayError as fault:
                if not left or not _may_go_on(fault):
                    raise
            await backoff.pause()

    async def _send_update(self) -> dict[str, Any] | None:
        """Send what a few changed files make of the context before, or return None if more has to be done.

        Its packs are not asked for first: that would take as long as sending them.
        """
        update = await self._connection.ground.call(lambda: updated(self._tree, self._packing))
        if update is not None:
            self._lack(update.new)
            try:
                return await self._send(update, update.new)
            except ShipwayError as fault:
                if not (_may_go_on(fault) or fault.slug in NOT_BASED):
                    raise
        self._packing = Packing()
        self._lacking.clear()
        return None

    async def _look(self) -> Snapshot:
        if self._tree.size < AHEAD:
            return await self._connection.ground.call(lambda: Snapshot(self._tree, packing=self._packing))
        looking = LookingAhead(self._connection.ground, self._tree, self._packing)
        try:
            return await looking.run(self._ask_ahead, self._stream_ahead, STREAMS)
        except ExceptionGroup as faults:
            raise self._worst(faults.exceptions) from None

    async def _ask_ahead(self, names: list[str]) -> list[str]:
        try:
            return (await self._ask(None, names))[1]
        except ShipwayError:
            return []  # it is asked again when everything was seen

    async def _stream_ahead(self, names: Iterator[str]) -> None:
        try:
            await self._stream(names)
        except ShipwayError as fault:
            if not _may_go_on(fault):
                raise

    async def _ask(self, context: str | None, names: list[str]) -> tuple[dict[str, Any] | None, list[str]]:
        """The receipt of a context that is there already, or which packs are missing."""
        wanted = {"packs": names, **({"context": context} if context else {})}
        told = (await self._connection.post("/v1/packs/missing", json=wanted)).json()
        missing = [name for name in told["packs"] if name in self._packing.packs]
        self._lack(missing)
        return told["context"], missing

    def _lack(self, names: list[str]) -> None:
        """Take down that the service has not got these packs, as far as is known."""
        new = [name for name in names if name not in self._lacking]
        self._lacking.update(new)
        self._total += sum(self._packing.packs[name].size for name in new)

    async def _send(self, snapshot: Snapshot | Update, names: list[str]) -> dict[str, Any]:
        self._spare(snapshot)
        await self._send_packs(names)
        ground = self._connection.ground
        receipt = await self._send_listing(snapshot, await ground.call(snapshot.changes))
        ground.aside(snapshot.remember_sent)
        return receipt

    async def _send_listing(self, snapshot: Snapshot | Update, changes: Changes | None) -> dict[str, Any]:
        """Send what is different from the last time; all there is if the service can't do with that."""
        if changes is not None:
            try:
                return await self._put(snapshot.digest, changes.lines, changes.base)
            except ShipwayError as fault:
                if fault.slug not in NOT_BASED:
                    raise
        return await self._put(snapshot.digest, snapshot.lines)

    async def _put(self, digest: str, lines: list[str], base: str = "") -> dict[str, Any]:
        listing = await self._connection.ground.call(lambda: packed(lines))
        answer = await self._connection.upload(
            f"/v1/contexts/{digest}{f'?base={base}' if base else ''}",
            lambda: self._counted(lambda: (listing,)),
            method="PUT",
            kind="application/jsonl",
            patience=PATIENCE,
            replayable=True,
        )
        receipt: dict[str, Any] = answer.json()
        return receipt

    async def _send_packs(self, names: list[str]) -> None:
        waiting = iter(names)
        faults: list[ShipwayError] = []

        async def stream() -> None:
            try:
                await self._stream(waiting)
            except ShipwayError as fault:  # the others go on: what they have sent is there
                faults.append(fault)
                if not _may_go_on(fault):
                    names.clear()  # nobody finds anything more to send

        await self._connection.ground.together([stream() for _ in range(min(STREAMS, len(names)))])
        if faults:
            raise self._worst(faults)

    async def _stream(self, names: Iterator[str]) -> None:
        """Send packs for as long as there are any; each is drawn by one stream."""
        await self._connection.upload(
            "/v1/packs",
            lambda: self._counted(lambda: self._packing.wire(names, self._compressed)),
            kind="application/octet-stream",
            patience=PATIENCE,
            replayable=False,
        )

    async def _counted(self, make: Callable[[], Iterable[bytes]]) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._connection.ground.iterate(make)) as pieces:
            async for piece in pieces:
                yield piece
                with self._counting:
                    self._sent += len(piece)
                    if self._on_progress is not None:
                        self._on_progress(self._sent, max(self._sent, self._total))

    def _compressed(self, spared: int) -> None:
        with self._counting:
            self._total -= spared

    def _spare(self, snapshot: Snapshot | Update) -> None:
        if self._on_spared is not None:
            self._on_spared(snapshot.size - sum(self._packing.packs[name].size for name in self._lacking))

    def _worst(self, faults: Iterable[Exception]) -> Exception:
        """Of several failures one that trying again would not mend, if there is one."""
        worst = min(faults, key=_may_go_on)
        if isinstance(worst, ShipwayError) and worst.slug == "pack-mismatch":
            # It was read just now, and is not what it was when it was looked at, or what was remembered is wrong.
            self._tree.cache.forget()
            return changed("a file")
        return worst


def _may_go_on(fault: Exception) -> bool:
    """Whether asking anew what is missing, and sending that, may succeed."""
    return isinstance(fault, ShipwayError) and (may_pass(fault) or fault.slug == "context-packs-missing")
