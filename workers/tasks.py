"""The one task: a message names a job."""

from __future__ import annotations

import asyncio

from shipway.queue import TASK
from workers.app import app
from workers.parts import Parts
from workers.runner import run
from workers.settings import worker_settings


@app.task(name=TASK)
def run_job(job_id: str, **_: object) -> None:
    """Claim the job whose turn it is, run it and settle it; a message for which there is none is dropped.

    The task's name is the version of the message; what a newer sender adds by name is passed over.
    """
    asyncio.run(_run(job_id))


async def _run(job_id: str) -> None:
    async with Parts.opened(worker_settings()) as parts:
        await run(parts, job_id)
