"""Sessions that need an event loop: of commands that use all of the client, or follow several jobs at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from shipway.cli.interruption import exit_code
from shipway.cli.loop_interruption import InterruptionOnLoop
from shipway.cli.session import Manner, Session, concluded
from shipway.cli.tracing import traced
from shipway.client import AsyncClient


class LoopSession(Session):
    """What such a command works with: the client, too."""

    def __init__(self, client: AsyncClient, interruption: InterruptionOnLoop, manner: Manner, sending: str) -> None:
        super().__init__(client.wire, interruption, manner, sending)
        self.client = client

    def forwarding(self, job_id: str, agents: Mapping[str, Path]) -> AbstractAsyncContextManager[None]:
        """Answer for ssh agents of this machine meanwhile."""
        return self.client.forwarding(job_id, agents, warn=self.display.notice)


def run_loop_session(manner: Manner, work: Callable[[Any], Awaitable[int]], *, sending: str = "context") -> int:
    """As `run_session`, with a `LoopSession`."""

    async def run() -> int:
        async with AsyncClient(manner.url) as client:
            with InterruptionOnLoop() as interruption:
                session = LoopSession(client, interruption, manner, sending)
                try:
                    return await concluded(session, work(session))
                except asyncio.CancelledError:
                    return exit_code(interruption)

    return traced(work, lambda: asyncio.run(run()))
