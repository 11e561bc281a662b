"""Turns the service's error answers, and answers that are not the service's, into exceptions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shipway.client.ground import Answer
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
from shipway.models.states import JobState

if TYPE_CHECKING:
    from shipway.models.job import Job

_BY_STATUS: dict[int, type[ShipwayError]] = {
    kind.status: kind
    for kind in (InvalidRequest, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, TooMany, Unavailable)
}
_CONTEXTS = r"/v1/(contexts(/[^/]*)?|packs)$"
_SERVER_FAULT = 500
_BAD_REQUEST = 400


def error_of(url: str, path: str, answer: Answer) -> ShipwayError:
    """Describe an answer that is not a success; its body must have been read.

    The class follows from the status, the slug is the service's own. An answer without the service's error
    body comes from something between here and there: `unexpected-answer`, or `Unavailable` for a 502 to 504.
    """
    try:
        problem = answer.json()["error"]
        slug, message, field = str(problem["slug"]), str(problem["message"]), problem.get("field")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _foreign(url, answer)
    kind = _BY_STATUS.get(answer.status)
    if kind is None and answer.status >= _SERVER_FAULT:
        kind = ShipwayError
    elif answer.status == _BAD_REQUEST and re.search(_CONTEXTS, path.partition("?")[0]):
        kind = ContextError
    return (kind or RequestError)(message, slug=slug, field=field)


def _foreign(url: str, answer: Answer) -> ShipwayError:
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if answer.status in (502, 503, 504):
        return Unavailable(f"something in front of {where} answered {answer.status}; try again later")
    return ClientError(
        f"{where} answered {answer.status} in a way that Shipway's service never does; "
        "is SHIPWAY_URL the URL of the service?",
        slug="unexpected-answer",
    )


def unreachable(url: str, fault: Exception, *, late: bool) -> ClientError:
    """Describe a connection that failed."""
    reason = "did not answer in time" if late else "can't be reached"
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
        problem = job.error
        if problem is None:
            raise BuildUserError(f"job {job.id} failed", slug=JobError.slug)
        kind = BuildSystemError if problem.retryable else BuildUserError
        raise kind(problem.message, slug=problem.slug, field=problem.field, step=problem.step)
