"""Say whether the service lives, whether it can work, and how it does."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from service import metrics
from service.errors import CODES, documented
from service.handlers.parameters import OnProcess, Reader
from service.logic import fleet

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well, as far as this check looks."""

    status: str = "ok"


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> Health:
    return Health()


@router.get("/readyz", summary="Whether jobs can be accepted", responses={503: CODES[503]})
async def readyz(process: OnProcess) -> Health:
    await fleet.check_ready(process)
    return Health()


@router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse, responses=documented())
async def read_metrics(process: OnProcess, _: Reader) -> Response:
    text, media_type = metrics.render(await fleet.workers(process), await fleet.queued(process))
    return Response(text, media_type=media_type)
