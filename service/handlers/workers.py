"""See the workers."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from service.errors import documented
from service.handlers.parameters import OnProcess
from service.logic import fleet
from shipway.models.worker import Worker

router = APIRouter(prefix="/v1/workers", tags=["workers"])


class WorkerList(BaseModel):
    """The workers that are alive, by name."""

    workers: list[Worker]


@router.get("", summary="List the workers", responses=documented())
async def list_workers(process: OnProcess) -> WorkerList:
    return WorkerList(workers=await fleet.workers(process))
