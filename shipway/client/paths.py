"""URL paths of the service's resources; a name must never become another path."""

from __future__ import annotations

from urllib.parse import quote

from shipway.exceptions import ClientError, InvalidRequest
from shipway.models.reference import Reference, is_registry, registry_host
from shipway.models.sources import IMAGE_ID


def job_path(job_id: str) -> str:
    """The URL path of a job; anything but an id must not become another path.

    Raises:
        ClientError: `job-id-invalid`.
    """
    if not job_id.isalnum() or not job_id.isascii():
        raise ClientError(f"{job_id[:100]!r} is not a job id", slug="job-id-invalid", field="id")
    return f"/v1/jobs/{job_id}"


def image_path(image: str) -> str:
    """The URL path of an image, by reference or by its id (`sha256:…`).

    A tag is always there: an image called `history` is not the history of another one.

    Raises:
        InvalidRequest: `invalid-image-name`.
    """
    if not IMAGE_ID.fullmatch(image):
        try:
            image = str(Reference.parse(image))
        except ValueError as fault:
            raise InvalidRequest(str(fault), slug="invalid-image-name", field="image") from None
    return f"/v1/images/{quote(image, safe='/:@')}"


def token_path(token_id: str) -> str:
    """The URL path of a token."""
    return f"/v1/tokens/{quote(token_id, safe='')}"


def webhook_path(webhook_id: str) -> str:
    """The URL path of a webhook."""
    return f"/v1/webhooks/{quote(webhook_id, safe='')}"


def registry_path(registry: str) -> str:
    """The URL path of a registry.

    Raises:
        InvalidRequest: `invalid-registry-name`.
    """
    host = registry_host(registry)
    if not is_registry(host):
        reason = f"{registry[:200]!r} is not a registry: expected its host, with its port if need be"
        raise InvalidRequest(reason, slug="invalid-registry-name", field="registry")
    return f"/v1/registries/{quote(host, safe=':')}"


def worker_path(name: str) -> str:
    """The URL path of a worker."""
    return f"/v1/workers/{quote(name, safe='')}"
