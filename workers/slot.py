"""A slot: what one process of the pool keeps from job to job, so that a job need not wait for it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from workers.parts import Parts
from workers.runner import run
from workers.settings import WorkerSettings


class Slot:
    """An event loop and the connections on it, both made with the first job.

    Between two jobs the loop stands still. A connection that breaks meanwhile is made anew by the pool it belongs to.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._runner = asyncio.Runner()
        self._exit = AsyncExitStack()
        self._parts: Parts | None = None

    def run(self, job_id: str) -> None:
        """Run a job; nothing of it goes on when this returns, but the connections stay."""
        self._runner.run(self._run(job_id))

    async def _run(self, job_id: str) -> None:
        try:
            if self._parts is None:
                self._parts = await self._exit.enter_async_context(Parts.opened(self._settings))
            await run(self._parts, job_id)
        except BaseException:
            self._parts = None
            await self._exit.aclose()
            raise
        finally:
            await _end_the_rest()


async def _end_the_rest() -> None:
    """Cancel what a job left behind, as `asyncio.run` does at its end."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
