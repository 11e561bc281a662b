"""Turns the service's error answers, and answers that are not the service's, into exceptions."""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from shipway.exceptions import (
    BuildSystemError,
    BuildUserError,
    ClientError,
    Conflict,
    ContextError,
    Forbidden,
    InvalidRequest,
    JobError,
    NotFound,
    RequestError,
    ShipwayError,
    TooLarge,
    TooMany,
    Unauthorized,
    Unavailable,
)
from shipway.models.error import ErrorAnswer, Problem
from shipway.models.job import Job, JobState

_BY_STATUS: dict[int, type[ShipwayError]] = {
    kind.status: kind
    for kind in (InvalidRequest, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, TooMany, Unavailable)
}
_CONTEXTS = "/v1/contexts"
_SERVER_FAULT = 500
_BAD_REQUEST = 400


def error_of(response: httpx.Response) -> ShipwayError:
    """Describe an answer that is not a success; its body must have been read.

    The class follows from the status, the slug is the service's own. An answer without the service's error
    body comes from something between here and there: `unexpected-answer`, or `Unavailable` for a 502 to 504.
    """
    try:
        problem = ErrorAnswer.model_validate_json(response.content).error
    except ValidationError:
        return _foreign(response)
    kind = _BY_STATUS.get(response.status_code)
    if kind is None and response.status_code >= _SERVER_FAULT:
        kind = ShipwayError
    elif response.status_code == _BAD_REQUEST and response.request.url.path.endswith(_CONTEXTS):
        kind = ContextError
    return (kind or RequestError)(problem.message, slug=problem.slug, field=problem.field)


def _foreign(response: httpx.Response) -> ShipwayError:
    where = f"{response.request.url.scheme}://{response.request.url.netloc.decode()}"
    if response.status_code in (502, 503, 504):
        return Unavailable(f"something in front of {where} answered {response.status_code}; try again later")
    return ClientError(
        f"{where} answered {response.status_code} in a way that Shipway's service never does; "
        "is SHIPWAY_URL the URL of the service?",
        slug="unexpected-answer",
    )


def unreachable(url: str, fault: httpx.TransportError) -> ClientError:
    """Describe a connection that failed."""
    reason = "did not answer in time" if isinstance(fault, httpx.TimeoutException) else "can't be reached"
    detail = f" ({fault})" if str(fault) else ""
    return ClientError(
        f"the service at {url} {reason}{detail}; set SHIPWAY_URL to its URL, "
        "or run `make up` to have one on this machine",
        slug="service-unreachable",
    )


def raise_for_job(job: Job) -> None:
    """Raise for a job that ended without success.

    Raises:
        BuildUserError: the fault lies in what was sent.
        BuildSystemError: the fault lies in the machinery; the same request may succeed later.
        JobError: it was cancelled (slug `cancelled`).
    """
    if job.state is JobState.CANCELLED:
        raise JobError(f"job {job.id} was cancelled", slug="cancelled")
    if job.state is JobState.FAILED:
        problem = job.error or Problem(slug=JobError.slug, message=f"job {job.id} failed")
        kind = BuildSystemError if problem.retryable else BuildUserError
        raise kind(problem.message, slug=problem.slug, field=problem.field, step=problem.step)
