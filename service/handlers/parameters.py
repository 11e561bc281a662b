"""Parameters that several routes take, who sends the request, and the process it is worked on in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from service.logic import access, limits
from service.process import Process
from shipway.models.token import Caller, Scope

_BEARER = HTTPBearer(
    scheme_name="token",
    description="A token that an administrator made. What stands beside a route is the scope that it needs.",
    auto_error=False,
)


def _process(request: Request) -> Process:
    process: Process = request.app.state.process
    return process


def _written_plainly(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and value.removeprefix("-").isdigit()):
        raise PydanticCustomError("int_parsing", "expected a whole number, in digits")
    return value


Number = Annotated[int, BeforeValidator(_written_plainly)]
"""A whole number in a query or a header. Pydantic alone would read one out of `+1`, `1.0` and `1_000`, too."""
OnProcess = Annotated[Process, Depends(_process)]


async def _caller(
    request: Request,
    process: OnProcess,
    needed: SecurityScopes,
    _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Caller:
    caller: Caller = request.state.caller
    await limits.pace(process, caller.project)
    access.require(caller, needed.scopes)
    return caller


Anyone = Annotated[Caller, Security(_caller)]
"""Who sends the request, with any valid token; the others below need the scope of their name."""
Reader = Annotated[Caller, Security(_caller, scopes=[Scope.READ])]
Builder = Annotated[Caller, Security(_caller, scopes=[Scope.BUILD])]
Pusher = Annotated[Caller, Security(_caller, scopes=[Scope.PUSH])]
ImageKeeper = Annotated[Caller, Security(_caller, scopes=[Scope.IMAGES])]
Admin = Annotated[Caller, Security(_caller, scopes=[Scope.ADMIN])]
JobId = Annotated[str, Path(description="id of a job", min_length=1, max_length=64, pattern=r"^[0-9A-Za-z]+$")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=256,
        description="any text of yours; the same key with the same request answers with the same job for a day",
    ),
]
