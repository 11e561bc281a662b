"""Read the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from service.errors import documented
from service.handlers.parameters import Admin, Number, OnProcess
from service.logic import audit
from shipway.models.audit import AuditEntry

router = APIRouter(prefix="/v1/audit", responses=documented(422), tags=["tokens"])


class AuditPage(BaseModel):
    """Some entries, newest first."""

    entries: list[AuditEntry]
    next: str | None = Field(None, description="pass as `before` to get the next page; null at the end")


@router.get("", summary="See who changed what, newest first")
async def read(
    process: OnProcess,
    _: Admin,
    before: Annotated[
        str | None, Query(pattern=r"^[0-9]{1,15}-[0-9]{1,15}$", description="only entries older than this one")
    ] = None,
    limit: Annotated[Number, Query(ge=1, le=1000)] = 100,
) -> AuditPage:
    entries, following = await audit.page(process, before, limit)
    return AuditPage(entries=entries, next=following)
