"""Upload build contexts."""

from __future__ import annotations

from fastapi import APIRouter, Request

from service.errors import documented
from service.handlers.parameters import Builder, OnProcess
from service.logic.contexts import ingest
from shipway.models.receipt import ContextReceipt

router = APIRouter(prefix="/v1/contexts", tags=["contexts"])

TAR_BODY = {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "",
    status_code=201,
    summary="Upload a context",
    description="The body is a tar, plain or compressed by gzip, bzip2, xz or zstd. It is indexed while it "
    "streams by and never unpacked. Name it in a build by the digest in the answer.",
    responses=documented(400, 413),
    openapi_extra={"requestBody": {"required": True, "content": TAR_BODY}},
)
async def upload(request: Request, process: OnProcess, caller: Builder) -> ContextReceipt:
    return await ingest(process, caller, request.stream())
