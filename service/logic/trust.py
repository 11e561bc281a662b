"""The rules for trust in other issuers: who makes such rules, sees and removes them."""

from __future__ import annotations

from service.logic import audit
from service.process import Process
from shipway.exceptions import NotFound
from shipway.models.token import Caller
from shipway.models.trust import TrustRequest, TrustRule
from shipway.storage.redis import reaching_redis


async def create(process: Process, caller: Caller, wanted: TrustRequest) -> TrustRule:
    """Trust tokens of an issuer from now on.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        rule = await process.trust.create(wanted)
    await audit.note(process, caller, "trust.create", rule.id)
    return rule


async def listed(process: Process) -> list[TrustRule]:
    """List all rules, oldest first.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        return await process.trust.all()


async def delete(process: Process, caller: Caller, rule_id: str) -> None:
    """Trust no longer: no request is taken by this rule from now on.

    Raises:
        NotFound: there is none of this id.
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        if not await process.trust.delete(rule_id):
            raise NotFound(f"there is no trust rule {rule_id!r}", slug="trust-unknown", field="id")
    await audit.note(process, caller, "trust.delete", rule_id)
