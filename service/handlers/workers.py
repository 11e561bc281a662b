"""See the workers."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from service.errors import documented
from service.handlers.parameters import Admin, OnProcess, Reader
from service.logic import fleet
from shipway.models.worker import Worker

router = APIRouter(prefix="/v1/workers", tags=["workers"])


class WorkerList(BaseModel):
    """The workers that are alive, by name."""

    workers: list[Worker]


@router.post("/{name}/drain", summary="Let a worker take no more jobs", responses=documented(404))
async def drain(name: str, process: OnProcess, caller: Admin) -> WorkerList:
    await fleet.drain(process, caller, name, on=True)
    return WorkerList(workers=await fleet.workers(process))


@router.post("/{name}/resume", summary="Let a worker take jobs again", responses=documented(404))
async def resume(name: str, process: OnProcess, caller: Admin) -> WorkerList:
    await fleet.drain(process, caller, name, on=False)
    return WorkerList(workers=await fleet.workers(process))


@router.get("", summary="List the workers", responses=documented())
async def list_workers(process: OnProcess, caller: Reader) -> WorkerList:
    return WorkerList(workers=await fleet.workers_of(process, caller))
