"""Every error Shipway reports, each with a stable slug.

::

    ShipwayError                     anything with a slug, a message and (maybe) a field
    ├── RequestError                 the request can't be taken; the HTTP status says how
    │   ├── InvalidRequest           400/422  something in it is wrong
    │   ├── Unauthorized             401      it does not say who sent it, or that isn't so
    │   ├── Forbidden                403      who sent it may not do that
    │   ├── NotFound                 404      it names something that isn't there
    │   ├── Conflict                 409      it contradicts what is there
    │   ├── TooLarge                 413      it passes a limit
    │   ├── ContextError             400      the uploaded files can't be a context
    │   ├── TooMany                  429      the project has its share already; come again later
    │   └── Unavailable              503      not now; try again
    ├── JobError                     the job was taken, then ended without success
    │   ├── BuildUserError           its Dockerfile, context, names or credentials: never retried
    │   └── BuildSystemError         daemon, registry or disk: retried with backoff
    └── ClientError                  raised in the client only: no connection, bad local input

A slug is the contract: it never changes its meaning. The message is for people and may be reworded.
"""

from __future__ import annotations

from typing import ClassVar


class ShipwayError(Exception):
    """Base of all errors that carry a slug.

    Attributes:
        slug: stable identifier, lower case with hyphens.
        message: what happened and what to do, for a person.
        field: the part of the request that is at fault, or None.
    """

    slug: str = "internal-error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, slug: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        if slug is not None:
            self.slug = slug


class RequestError(ShipwayError):
    """The service refuses a request; nothing was stored."""

    slug = "bad-request"
    status = 400


class InvalidRequest(RequestError):
    """A value in the request is wrong."""

    slug = "invalid-request"
    status = 422


class Unauthorized(RequestError):
    """The request has no token, or one that is not valid."""

    slug = "token-invalid"
    status = 401


class Forbidden(RequestError):
    """The token is valid but does not allow what is asked."""

    slug = "scope-missing"
    status = 403


class NotFound(RequestError):
    """The request names something that does not exist (or belongs to another project)."""

    slug = "not-found"
    status = 404


class Conflict(RequestError):
    """The request contradicts the present state."""

    slug = "conflict"
    status = 409


class TooLarge(RequestError):
    """The request passes a size limit."""

    slug = "too-large"
    status = 413


class ContextError(RequestError):
    """The uploaded files can't serve as a build context."""

    slug = "context-invalid"
    status = 400


class TooMany(RequestError):
    """The project has its share for the moment; the request may be sent again after a while.

    Attributes:
        after: seconds to wait before.
    """

    slug = "too-many"
    status = 429

    def __init__(self, message: str, *, slug: str | None = None, field: str | None = None, after: float = 1) -> None:
        super().__init__(message, slug=slug, field=field)
        self.after = after


class Unavailable(RequestError):
    """A part the service needs is away for the moment; the request may be sent again."""

    slug = "unavailable"
    status = 503


class JobError(ShipwayError):
    """A job ended without success.

    Attributes:
        step: name of the step that failed, or None if no step is at fault.
    """

    slug = "job-failed"
    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, slug: str | None = None, field: str | None = None, step: str | None = None
    ) -> None:
        super().__init__(message, slug=slug, field=field)
        self.step = step


class BuildUserError(JobError):
    """The fault lies in what the user sent: never retried."""

    slug = "build-failed"


class BuildSystemError(JobError):
    """The fault lies in the machinery (daemon, registry, disk): retried with backoff."""

    slug = "system-error"
    retryable = True


class ClientError(ShipwayError):
    """Something went wrong before or outside the service: bad local input, no connection."""

    slug = "client-error"
