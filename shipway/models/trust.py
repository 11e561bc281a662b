"""Trust in other issuers of identities (OpenID Connect): which of their tokens count here, and for what.

A CI job that has a token of such an issuer (GitHub Actions, GitLab, Buildkite and others give each job one) sends it
as it is, in place of a token of ours: no secret has to be kept there.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shipway.models.pattern import Pattern
from shipway.models.request import Strict
from shipway.models.token import Label, Rights, TokenId


def _issuer(text: str) -> str:
    try:
        parts = urlsplit(text)
        plain = bool(parts.hostname) and not (parts.username or parts.query or parts.fragment) and parts.port != 0
    except ValueError:
        plain = False
    if plain and (parts.scheme == "https" or is_loopback(str(parts.hostname))):
        return text
    raise PydanticCustomError("issuer-invalid", "an issuer is an https:// URL, without a user, query or fragment")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, where no one listens in."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Issuer = Annotated[str, Field(max_length=512, pattern=r"^https?://[!-~]+$"), AfterValidator(_issuer)]


class TrustRequest(Rights, Strict):
    """The JSON body of `POST /v1/trust`."""

    name: Label = Field(description="what it is for")
    issuer: Issuer = Field(description="its URL, exactly as its tokens have it in `iss`")
    audience: Annotated[str, Field(min_length=1, max_length=512)] = Field(
        description="what its tokens must be made for (`aud`); one of your own keeps those for others away"
    )
    claims: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=128)], Pattern],
        Field(
            min_length=1,
            max_length=32,
            description="what each token must say: claim to pattern, such as `repository` to `team/*`",
        ),
    ]


class TrustRule(TrustRequest):
    """A rule as it is kept."""

    id: TokenId
    created: float = Field(description="seconds since the epoch")
