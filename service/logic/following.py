"""How a job's events are followed: from the log up to what is new, then with all others from the job's tail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from functools import partial

from service.logic.access import revoked
from service.process import Process
from shipway.models.token import Caller
from shipway.storage.redis import reaching_redis
from shipway.storage.tails import Told

PORTION = 64 * 2**10
"""Bytes of events that are handed over at once: what a reader who is slow makes the service hold."""
AT_ONCE = 100
"""Events that are read from the log at once, for the same reason."""


async def follow(
    process: Process, caller: Caller, job_id: str, after: int, *, new: bool = False
) -> AsyncIterator[list[Told]]:
    """Yield every event after a number, each once, in order, as they come; end with the final one.

    A caller whose token is revoked meanwhile is told nothing more within a second.

    Args:
        process: where the parts are.
        caller: who follows.
        job_id: the job's.
        after: number of the last event that is known.
        new: whether nothing had happened to the job yet when it was looked at: its log is not looked through first.

    Raises:
        Unavailable: Redis or the store is away; who follows may go on where this stopped.
    """
    standings, tails = process.standings, process.tails
    async with (
        reaching_redis(limit=None),
        standings.of(caller.id, partial(revoked, process, caller), tails.wake) as standing,
    ):
        while not standing.revoked:
            if not new:
                async for portion in _from_log(process, caller.project, job_id, after):
                    if standing.revoked:
                        return
                    yield portion
                    after = portion[-1].seq
                    if portion[-1].last:
                        return
                if await process.jobs.over(job_id, after):
                    return
            new = False
            async with tails.of(job_id, after) as tail:
                while (told := await tail.next(after)) is not None and not standing.revoked:
                    for portion in _portions(told):
                        yield portion
                        after = portion[-1].seq
                        if portion[-1].last:
                            return


async def _from_log(process: Process, project: str, job_id: str, after: int) -> AsyncIterator[list[Told]]:
    page: list[Told] = []
    async for event in process.events.so_far(project, job_id, after, AT_ONCE):
        page.append(Told.of(event))
        if len(page) == AT_ONCE:
            for portion in _portions(page):
                yield portion
            page = []
    for portion in _portions(page):
        yield portion


def _portions(told: Iterable[Told]) -> Iterable[list[Told]]:
    portion: list[Told] = []
    size = 0
    for one in told:
        portion.append(one)
        size += len(one.json)
        if size >= PORTION:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
