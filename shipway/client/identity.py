"""The token that GitHub Actions makes for a job, asked for anew before the last one ends.

Its tokens are good for five minutes, and many a build takes longer. GitHub's documentation: "OpenID Connect reference",
"Requesting the JWT using environment variables".
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Mapping

import httpx

from shipway.client.config import AUDIENCE_VARIABLE
from shipway.exceptions import ClientError

FRESH = 60.0
"""Seconds that one token is used for."""
LIMIT = httpx.Timeout(10.0)


def job_identity(environment: Mapping[str, str] = os.environ) -> JobIdentity | None:
    """What proves who this CI job is: None unless `SHIPWAY_AUDIENCE` is set and the job may ask for tokens."""
    audience = environment.get(AUDIENCE_VARIABLE)
    url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    if not audience or not url:
        return None
    return JobIdentity(url, environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", ""), audience)


class JobIdentity(httpx.Auth):
    """Puts a token of the job's issuer on every request.

    Args:
        url: where the job may ask for one.
        bearer: what it shows there.
        audience: whom the token is for; the service has a rule with the same.
    """

    def __init__(self, url: str, bearer: str, audience: str) -> None:
        self._question = (httpx.URL(url).copy_merge_params({"audience": audience}), f"Bearer {bearer}")
        self._token = ""
        self._until = 0.0

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Ask for a token if need be, then send the request with it.

        Raises:
            ClientError: `identity-refused`.
        """
        if time.monotonic() >= self._until:
            url, bearer = self._question
            headers, limits = {"Authorization": bearer}, {"timeout": LIMIT.as_dict()}
            answer = yield httpx.Request("GET", url, headers=headers, extensions=limits)
            await answer.aread()
            self._token, self._until = _token_of(answer), time.monotonic() + FRESH
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def _token_of(answer: httpx.Response) -> str:
    try:
        return str(answer.raise_for_status().json()["value"])
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as fault:
        raise ClientError(
            f"this job gets no token of its own ({answer.status_code}); does it have `permissions: id-token: write`?",
            slug="identity-refused",
        ) from fault
