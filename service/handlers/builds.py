"""Start builds."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import ValidationError
from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException

from service.errors import documented, invalid
from service.handlers.contexts import TAR_BODY
from service.handlers.docker_query import build_fields, registry_logins
from service.handlers.jobs import begun, streamed
from service.handlers.parameters import Builder, IdempotencyKey, OnProcess
from service.hardening import MAX_JSON
from service.logic.access import check_rights
from service.logic.checks import check_alone
from service.logic.contexts import ingest
from service.logic.jobs import submit as accept
from service.openapi import BUILD_REQUEST
from shipway.exceptions import InvalidRequest, TooLarge
from shipway.models.job import Job
from shipway.models.request import BuildRequest
from shipway.models.token import Scope

router = APIRouter(prefix="/v1/builds", tags=["builds"])

TAR_TYPES = {
    "application/x-tar",
    "application/tar",
    "application/gzip",
    "application/x-gzip",
    "application/x-bzip2",
    "application/x-xz",
    "application/zstd",
    "application/octet-stream",
}
SUBMIT: dict[str, Any] = {
    "status_code": 202,
    "response_model": Job,
    "summary": "Start a build",
    "responses": documented(400, 404, 409, 413, 415, 422),
    "description": "Either JSON that names an uploaded context, or the context itself as a tar in the body "
    "with Docker's own query parameters (`t`, `dockerfile`, `buildargs`, `target`, `nocache`, `pull`, `labels`, "
    "`platform`, …, and `push`). Answers as soon as the job is recorded; follow its events to see it run. "
    "Who accepts `text/event-stream` and may read gets it all in one answer: the record as a message of type `job`, "
    "the events as they come, and at the end the record again.",
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": BUILD_REQUEST}, **TAR_BODY},
        }
    },
}


@router.post("", **SUBMIT)
async def submit(
    request: Request,
    response: Response,
    process: OnProcess,
    caller: Builder,
    idempotency_key: IdempotencyKey = None,
    x_registry_config: Annotated[str | None, Header(description="registry logins, as Docker sends them")] = None,
) -> Job | EventSourceResponse:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        wanted = _validated(await _json(request))
    elif kind in TAR_TYPES or (not kind and request.method == "PUT"):
        fields = build_fields(request.query_params) | {"registries": registry_logins(x_registry_config)}
        # What is wrong is told before the upload, not after it.
        wanted = _validated(fields | {"context": "sha256:" + "0" * 64})
        check_alone(process, caller.project, wanted.spec)
        check_rights(caller, wanted.spec)
        receipt = await ingest(process, caller, request.stream())
        wanted = _validated(fields | {"context": receipt.digest})
    else:
        raise HTTPException(415, f"send application/json or application/x-tar, not {kind[:64] or 'no content type'}")
    job = await accept(process, caller, wanted.spec, wanted.credentials, idempotency_key)
    location = f"/v1/jobs/{job.id}"
    if "text/event-stream" in request.headers.get("accept", "") and Scope.READ in caller.scopes:
        telling = streamed(begun(process, caller, job), status=202)
        telling.headers["Location"] = location
        return telling
    response.headers["Location"] = location
    return job


@router.put("", **SUBMIT | {"summary": "Start a build, by the method that `curl -T -` uses"})
async def submit_by_put(
    request: Request,
    response: Response,
    process: OnProcess,
    caller: Builder,
    idempotency_key: IdempotencyKey = None,
    x_registry_config: Annotated[str | None, Header(description="registry logins, as Docker sends them")] = None,
) -> Job | EventSourceResponse:
    return await submit(request, response, process, caller, idempotency_key, x_registry_config)


def _validated(fields: Any) -> BuildRequest:
    try:
        return BuildRequest.model_validate(fields)
    except ValidationError as error:
        raise invalid(error.errors()) from None


async def _json(request: Request) -> Any:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON:
            raise TooLarge(f"a JSON body has at most {MAX_JSON} bytes", slug="body-too-large")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise InvalidRequest(f"the body is not JSON: {fault}", slug="json-invalid") from fault
