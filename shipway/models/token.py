"""Who may do what: the rights of a token, and the requests that make one.

A token is written `shipway_<id>_<secret>`: an id of 16 and a secret of 64 hexadecimal digits (256 random bits). The
fixed form lets scanners for leaked secrets find it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shipway.models.pattern import Pattern
from shipway.models.request import Strict

DEFAULT_PROJECT = "default"
ANYTHING = ("**",)
MAX_LIFETIME = 10 * 365 * 86_400

ProjectName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="the tenant")]
TokenId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", description="id of a token")]
Label = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Scope(StrEnum):
    """What a token may be used for. None of them includes another."""

    READ = "read"
    BUILD = "build"
    PUSH = "push"
    IMAGES = "images"
    ADMIN = "admin"


class Rights(BaseModel):
    """What somebody may do, and in which project."""

    model_config = ConfigDict(frozen=True)

    project: ProjectName = DEFAULT_PROJECT
    scopes: Annotated[
        tuple[Scope, ...],
        Field(
            min_length=1,
            max_length=len(Scope),
            description="`read`: see jobs, events, logs, archives, images and workers; `build`: send contexts "
            "and archives, start builds, commits and imports, cancel jobs; `push`: push to registries; `images`: pull, "
            "load, save, export, tag and remove images; `admin`: all tokens, trust rules, webhooks, audit log, workers",
        ),
    ] = (Scope.READ, Scope.BUILD, Scope.PUSH)
    push: Annotated[
        tuple[Pattern, ...],
        Field(
            max_length=64, description="repositories to push to, and to name images after: `registry.example/team/*`"
        ),
    ] = ANYTHING
    pull: Annotated[
        tuple[Pattern, ...], Field(max_length=64, description="repositories whose images may be pulled or read")
    ] = ANYTHING


class Token(Rights):
    """A token as it is listed: all but its secret."""

    id: TokenId
    name: str = Field(description="what it is for, in its maker's words")
    created: float = Field(description="seconds since the epoch")
    expires: float | None = Field(None, description="seconds since the epoch; never when null")
    last_used: float | None = Field(None, description="seconds since the epoch, to the minute; never when null")


class NewToken(Token):
    """A token just made: the only answer that holds its secret."""

    token: str = Field(description="send it as `Authorization: Bearer …`; it is not shown again")


class TokenRequest(Rights, Strict):
    """The JSON body of `POST /v1/tokens`."""

    name: Label = Field(description="what it is for")
    lifetime: float | None = Field(None, gt=0, le=MAX_LIFETIME, description="seconds until it expires; never when null")

    @property
    def rights(self) -> Rights:
        """What the token may do."""
        return Rights.model_validate(self.model_dump(include=set(Rights.model_fields)))


class Caller(Rights):
    """Who sent a request, as the service knows them."""

    id: TokenId = Field(description="of the token, or of the rule that trusts its issuer")
    who: str = Field(description="the token's id and name, or a CI job's issuer and subject")
    address: str = Field("", description="where the request came from")
