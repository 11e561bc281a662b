"""Start the jobs that make images in other ways than a build, and those that move them."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from service.errors import documented
from service.handlers.parameters import Admin, Builder, IdempotencyKey, ImageKeeper, OnProcess, Pusher
from service.logic.jobs import submit, submit_to
from shipway.models.credentials import Credentials
from shipway.models.job import Job
from shipway.models.request import (
    CommitRequest,
    ExportRequest,
    ImportRequest,
    LoadRequest,
    PruneRequest,
    PullRequest,
    PushRequest,
    SaveRequest,
)

router = APIRouter(prefix="/v1", responses=documented(404, 409, 422), tags=["moves"])


class JobSet(BaseModel):
    """One job for each worker."""

    jobs: list[Job]


@router.post("/commits", status_code=202, summary="Make an image from a container")
async def commit(body: CommitRequest, process: OnProcess, caller: Builder, key: IdempotencyKey = None) -> Job:
    return await submit(process, caller, body.spec, body.credentials, key)


@router.post("/imports", status_code=202, summary="Make an image from a tar of a filesystem")
async def import_(body: ImportRequest, process: OnProcess, caller: Builder, key: IdempotencyKey = None) -> Job:
    return await submit(process, caller, body.spec, body.credentials, key)


@router.post("/saves", status_code=202, summary="Write images to an archive")
async def save(body: SaveRequest, process: OnProcess, caller: ImageKeeper, key: IdempotencyKey = None) -> Job:
    return await submit(process, caller, body.spec, Credentials(), key)


@router.post("/exports", status_code=202, summary="Write a filesystem to an archive")
async def export(body: ExportRequest, process: OnProcess, caller: ImageKeeper, key: IdempotencyKey = None) -> Job:
    return await submit(process, caller, body.spec, body.credentials, key)


@router.post("/pushes", status_code=202, summary="Push an image that a worker has")
async def push(body: PushRequest, process: OnProcess, caller: Pusher, key: IdempotencyKey = None) -> Job:
    return await submit(process, caller, body.spec, body.credentials, key)


@router.post("/pulls", status_code=202, summary="Pull an image onto workers")
async def pull(body: PullRequest, process: OnProcess, caller: ImageKeeper) -> JobSet:
    return JobSet(jobs=await submit_to(process, caller, body.spec_for, body.workers, body.credentials))


@router.post("/loads", status_code=202, summary="Load an archive into workers")
async def load(body: LoadRequest, process: OnProcess, caller: ImageKeeper) -> JobSet:
    return JobSet(jobs=await submit_to(process, caller, body.spec_for, body.workers, Credentials()))


@router.post("/prunes", status_code=202, summary="Free what the caches of workers hold")
async def prune(body: PruneRequest, process: OnProcess, caller: Admin) -> JobSet:
    return JobSet(jobs=await submit_to(process, caller, body.spec_for, body.workers, Credentials()))
