"""See, name and remove the images that workers have."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from service.errors import documented
from service.handlers.parameters import ImageKeeper, OnProcess, Reader
from service.logic import fleet, images
from service.logic.jobs import submit
from shipway.models.credentials import Credentials
from shipway.models.image import HistoryEntry, ImageDescription, ImageOnWorker
from shipway.models.job import Job
from shipway.models.request import TagRequest
from shipway.models.spec import RemoveSpec

router = APIRouter(prefix="/v1/images", responses=documented(404, 422), tags=["images"])

Image = Annotated[str, Path(max_length=512, description="reference or id of an image")]
OnWorker = Annotated[str | None, Query(max_length=63, description="ask this worker; any that has it when empty")]


class ImageList(BaseModel):
    """Images, one entry for each worker that has one."""

    images: list[ImageOnWorker]


class History(BaseModel):
    """How an image came about, newest line first."""

    image: str
    history: tuple[HistoryEntry, ...]


@router.get("", summary="List the project's images on all workers")
async def list_images(process: OnProcess, caller: Reader) -> ImageList:
    return ImageList(images=await fleet.images(process, caller))


@router.get("/{image:path}/history", summary="Show how an image came about")
async def history(image: Image, process: OnProcess, caller: Reader, worker: OnWorker = None) -> History:
    found = await images.inspect(process, caller, image, worker)
    return History(image=found.id, history=found.history)


@router.post("/{image:path}/tags", status_code=202, summary="Give an image more names")
async def tag(image: Image, body: TagRequest, process: OnProcess, caller: ImageKeeper) -> Job:
    return await submit(process, caller, images.valid(body.spec_for, image), Credentials())


@router.get("/{image:path}", summary="Show what is known of an image")
async def show(image: Image, process: OnProcess, caller: Reader, worker: OnWorker = None) -> ImageDescription:
    return await images.inspect(process, caller, image, worker)


@router.delete("/{image:path}", status_code=202, summary="Remove an image (or one of its names) from a worker")
async def remove(
    image: Image, process: OnProcess, caller: ImageKeeper, worker: OnWorker = None, *, force: bool = False
) -> Job:
    spec = images.valid(lambda name: RemoveSpec(images=(name,), worker=worker, force=force), image)
    return await submit(process, caller, spec, Credentials())
