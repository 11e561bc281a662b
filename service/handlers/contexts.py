"""Upload build contexts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from service.errors import documented
from service.handlers.parameters import Builder, OnProcess
from service.logic import contexts
from shipway.models.receipt import ContextReceipt, Missing, Wanted

router = APIRouter(prefix="/v1", tags=["contexts"])

_DIGEST = r"^sha256:[0-9a-f]{64}$"
Digest = Annotated[str, Path(description="sha256:… of the context", pattern=_DIGEST)]
Base = Annotated[str | None, Query(description="sha256:… of the context that the listing changes", pattern=_DIGEST)]
TAR_BODY = {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}}


PACKS_BODY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
LISTING_BODY = {"application/jsonl": {"schema": {"type": "string"}}}


@router.post(
    "/contexts",
    status_code=201,
    summary="Upload a context",
    description="The body is a tar, plain or compressed by gzip, bzip2, xz or zstd. It is indexed while it "
    "streams by and never unpacked. Name it in a build by the digest in the answer.",
    responses=documented(400, 413),
    openapi_extra={"requestBody": {"required": True, "content": TAR_BODY}},
)
async def upload(request: Request, process: OnProcess, caller: Builder) -> ContextReceipt:
    return await contexts.ingest(process, caller, request.stream())


@router.post(
    "/packs/missing",
    summary="Ask what is left to send",
    description="The first of the three steps in which a client sends only what has changed. If the context is there, "
    "there is nothing to send; else the packs that are not there. Projects share nothing: what another one sent "
    "is not there.",
    responses=documented(413, 422),
)
async def missing(wanted: Wanted, process: OnProcess, caller: Builder) -> Missing:
    return await contexts.missing(process, caller, wanted)


@router.post(
    "/packs",
    status_code=204,
    response_class=Response,
    summary="Send packs",
    description="Any number of packs (none is fine), one behind the other, each checked against its digests and stored "
    "as soon as it is whole: what came before a connection broke needs not be sent again. The format stands in "
    "`shipway/context/packs.py`.",
    responses=documented(400, 413),
    openapi_extra={"requestBody": {"required": False, "content": PACKS_BODY}},
)
async def take_packs(request: Request, process: OnProcess, caller: Builder) -> None:
    await contexts.take_packs(process, caller, request.stream())


@router.put(
    "/contexts/{digest}",
    status_code=201,
    summary="Make a context of packs",
    description="The body lists the entries and the digests of their contents, plain or compressed (the format stands "
    "in `shipway/context/listing.py`). Every content must lie in a pack that is there. Where `base` names a context "
    "that is there, the body lists what is different from it.",
    responses=documented(400, 409, 413),
    openapi_extra={"requestBody": {"required": True, "content": LISTING_BODY}},
)
async def commit(
    request: Request, digest: Digest, process: OnProcess, caller: Builder, base: Base = None
) -> ContextReceipt:
    return await contexts.commit(process, caller, digest, base, request.stream())
