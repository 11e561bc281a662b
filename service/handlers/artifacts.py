"""Upload archives."""

from __future__ import annotations

from fastapi import APIRouter, Request

from service.errors import documented
from service.handlers.contexts import TAR_BODY
from service.handlers.parameters import Builder, OnProcess
from service.logic import artifacts
from shipway.models.receipt import ArtifactReceipt

router = APIRouter(prefix="/v1/artifacts", tags=["artifacts"])


@router.post(
    "",
    status_code=201,
    summary="Upload an archive",
    description="An archive for a load (made by `docker save` or a save job) or for an import (any tar), as it is.",
    responses=documented(400, 413, 422),
    openapi_extra={"requestBody": {"required": True, "content": TAR_BODY}},
)
async def upload(request: Request, process: OnProcess, caller: Builder) -> ArtifactReceipt:
    return await artifacts.take(process, caller, request.stream())
