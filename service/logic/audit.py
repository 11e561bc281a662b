"""Keeps account of every change that somebody makes: a line in the service's log, and an entry to be read by HTTP."""

from __future__ import annotations

import structlog

from service.process import Process
from shipway.exceptions import Unavailable
from shipway.models.audit import AuditEntry
from shipway.models.token import Caller
from shipway.storage.redis import reaching_redis

log = structlog.get_logger("audit")

PATIENCE = 2.0
"""Seconds that writing an entry may hold up the answer: the change is made by then."""


async def note(process: Process, caller: Caller, action: str, subject: str) -> None:
    """Note a change that was made. When Redis is away just then, the log alone has it.

    Args:
        process: where the parts are.
        caller: who made it, and from where.
        action: what was done, as `thing.verb`.
        subject: the id or name of what it was done to.
    """
    entry = {
        "who": caller.who,
        "project": caller.project,
        "address": caller.address,
        "action": action,
        "subject": subject,
    }
    log.info("audit", **entry)
    try:
        async with reaching_redis(PATIENCE):
            await process.audit.append(entry)
    except Unavailable:
        log.warning("the audit log in Redis lacks an entry", **entry)


async def page(process: Process, before: str | None, limit: int) -> tuple[list[AuditEntry], str | None]:
    """Read entries, newest first; returns the page and where the next one starts.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        entries = await process.audit.page(before, limit)
    return entries, entries[-1].id if len(entries) == limit else None
