"""The one task: a message names a job."""

from __future__ import annotations

from functools import cache

from shipway.queue import TASK
from workers.app import app
from workers.settings import worker_settings
from workers.slot import Slot


@app.task(name=TASK)
def run_job(job_id: str, **_: object) -> None:
    """Claim the job whose turn it is, run it and settle it; a message for which there is none is dropped.

    The task's name is the version of the message; what a newer sender adds by name is passed over.
    """
    _slot().run(job_id)


@cache
def _slot() -> Slot:
    return Slot(worker_settings())
