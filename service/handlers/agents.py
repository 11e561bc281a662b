"""Answer what the steps of a build ask an ssh agent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from service.errors import documented
from service.handlers.parameters import Builder, JobId, OnProcess
from service.logic import agents
from shipway.models.agent import AgentAnswer, AgentRequests

router = APIRouter(prefix="/v1/jobs/{id}/agent", responses=documented(404, 409, 422), tags=["jobs"])

NUMBER = r"^\d{1,20}-\d{1,20}$"


@router.get(
    "",
    summary="Wait for what steps ask an ssh agent",
    description="For the client of a build with `agents`. Answers as soon as there is something, after 5 s at the "
    "latest; ask again at once. A build whose client does not ask for 15 s fails when a step needs an agent.",
)
async def asked(
    id: JobId,  # noqa: A002  (the route's own word)
    process: OnProcess,
    caller: Builder,
    after: Annotated[str, Query(pattern=NUMBER, description="number of the last request seen")] = "0-0",
) -> AgentRequests:
    return AgentRequests(requests=await agents.asked(process, caller.project, id, after))


@router.put("/{number}", status_code=204, summary="Answer one request")
async def answer(
    id: JobId,  # noqa: A002
    number: Annotated[str, Path(pattern=NUMBER, description="number of the request")],
    body: AgentAnswer,
    process: OnProcess,
    caller: Builder,
) -> None:
    await agents.answer(process, caller.project, id, number, body)
