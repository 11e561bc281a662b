"""One JSON shape for every error, whatever raised it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from shipway.exceptions import InvalidRequest, RequestError, ShipwayError, TooMany, Unavailable
from shipway.models.error import ErrorAnswer, Problem
from shipway.storage.redis import redis_away

log = structlog.get_logger(__name__)

RETRY_AFTER = "5"
"""Seconds that a client should wait before it asks an unavailable service again."""
CHALLENGES = {401: "invalid_token", 403: "insufficient_scope"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SLUGS = {
    400: "body-unreadable",
    404: "route-unknown",
    405: "method-not-allowed",
    408: "body-timeout",
    413: "body-too-large",
    415: "content-type-unsupported",
}
CODES: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorAnswer, "description": text}
    for code, text in {
        400: "The body or the request can't be read",
        401: "There is no token, or it is not valid",
        403: "The token does not allow that",
        404: "There is no such thing",
        408: "The body comes too slowly",
        409: "It contradicts what is there",
        413: "A limit is passed",
        415: "The content type is none of those accepted",
        422: "A value is wrong",
        429: "The project has its share for the moment",
        503: "A part is away for the moment",
    }.items()
}


def documented(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries for the errors that a route may answer; 401, 403, 429 and 503 come with every one."""
    return {code: CODES[code] for code in (*codes, 401, 403, 429, 503)}


def invalid(errors: Sequence[Any], prefix: int = 0) -> InvalidRequest:
    """Tell the first of Pydantic's errors. A type with a hyphen is one of our own slugs."""
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"][prefix:])[:200]
    kind = str(first["type"])
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return InvalidRequest(
        f"{field}: {first['msg'][:500]}{more}", slug=kind if "-" in kind else "invalid-request", field=field or None
    )


def answer(error: ShipwayError, status: int) -> JSONResponse:
    """Turn an error into its HTTP answer."""
    body = ErrorAnswer(error=Problem.of(error)).model_dump(mode="json")
    return JSONResponse(body, status_code=status, headers=_headers(error, status))


def _headers(error: ShipwayError, status: int) -> dict[str, str]:
    """What goes with a status: when to come again, and how to say who one is (RFC 6750)."""
    if isinstance(error, TooMany):
        return {"Retry-After": str(math.ceil(error.after))}
    if status == Unavailable.status:
        return {"Retry-After": RETRY_AFTER}
    if status in CHALLENGES:
        told = "" if error.slug == "token-missing" else f', error="{CHALLENGES[status]}"'
        return {"WWW-Authenticate": f'Bearer realm="shipway"{told}'}
    return {}


def _allowed(request: Request) -> list[str]:
    """The methods that there are for the path of a request."""
    routes = request.app.routes
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def install(app: FastAPI) -> None:
    """Register the handlers."""

    @app.exception_handler(ShipwayError)
    async def _shipway(_: Request, error: ShipwayError) -> JSONResponse:
        return answer(error, error.status)

    @app.exception_handler(RedisError)
    async def _redis(_: Request, error: RedisError) -> JSONResponse:
        log.warning("Redis is away", fault=repr(error))
        return answer(redis_away(), Unavailable.status)

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(invalid(error.errors(), prefix=1), InvalidRequest.status)

    @app.exception_handler(ValidationError)
    async def _model(_: Request, error: ValidationError) -> JSONResponse:
        log.error("a stored value can't be read", exc_info=error)
        return answer(ShipwayError("a stored record can't be read; the operator finds more in the log"), 500)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        problem = RequestError(str(error.detail), slug=SLUGS.get(error.status_code, "bad-request"))
        response = answer(problem, error.status_code)
        response.headers.update(error.headers or {})
        if "Allow" in response.headers:  # tells of the first route with this path, of several
            response.headers["Allow"] = ", ".join(_allowed(request))
        return response

    @app.exception_handler(ClientDisconnect)
    async def _gone(_: Request, __: ClientDisconnect) -> JSONResponse:
        return answer(RequestError("the body stopped before its end; nothing was kept", slug="body-incomplete"), 400)

    @app.exception_handler(Exception)
    async def _unexpected(_: Request, error: Exception) -> JSONResponse:
        log.error("unexpected error", exc_info=error)
        return answer(ShipwayError("something unexpected went wrong; the operator finds more in the log"), 500)
