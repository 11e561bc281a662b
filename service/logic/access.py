"""Who sends a request, and what they may do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from service.logic.oidc import identify_by_trust
from service.process import Process
from shipway.exceptions import Forbidden, Unauthorized
from shipway.models.pattern import matches
from shipway.models.reference import Reference
from shipway.models.spec import IMAGE_ID, Kind, Spec
from shipway.models.token import Caller, Rights, Scope
from shipway.storage.redis import reaching_redis

DOTS = 2
"""Between the three parts of a JSON Web Token; no token of ours has any."""


async def identify(process: Process, bearer: str) -> Caller:
    """Tell who sends a request by what it has in `Authorization: Bearer`.

    Raises:
        Unauthorized: nothing, or nothing valid.
        Unavailable: Redis is away.
    """
    if not bearer:
        raise Unauthorized(
            "this needs a token: send `Authorization: Bearer …`, or log in with `shipway login`", slug="token-missing"
        )
    if bearer.count(".") == DOTS:
        return await identify_by_trust(process, bearer)
    async with reaching_redis():
        token = await process.tokens.check(bearer)
    rights = token.model_dump(include=set(Rights.model_fields))
    return Caller(**rights, id=token.id, who=f"{token.id} {token.name}")


async def revoked(process: Process, caller: Caller) -> bool:
    """Whether what a caller came with was taken back since; that it expired does not end what was begun in time.

    Raises:
        Unavailable: Redis is away.
    """
    async with reaching_redis():
        return not (await process.tokens.exists(caller.id) or await process.trust.exists(caller.id))


def require(rights: Rights, scopes: Sequence[str]) -> None:
    """Check that rights include scopes.

    Raises:
        Forbidden: they don't (`scope-missing`).
    """
    missing = [scope for scope in scopes if scope not in rights.scopes]
    if missing:
        raise Forbidden(f"this token may not do that: it lacks the scope {missing[0]!r}", slug="scope-missing")


def check_rights(rights: Rights, spec: Spec) -> None:
    """Check what a spec pushes, and every repository that it names.

    Raises:
        Forbidden: the rights don't include it (`scope-missing`, `repository-forbidden`).
    """
    if getattr(spec, "push", False) or getattr(spec, "cache_to", None):
        require(rights, [Scope.PUSH])
    for field, image in _written(spec):
        _check_repository(rights.push, image, field, "push to")
    for field, image in _read(spec):
        _check_repository(rights.pull, image, field, "pull from")


def _written(spec: Spec) -> Iterator[tuple[str, str]]:
    """The names that a job gives or takes: a name in a daemon counts like one in its registry."""
    tags: tuple[str, ...] = getattr(spec, "tags", ())
    yield from (("tags", tag) for tag in tags)
    if spec.kind is Kind.BUILD and spec.cache_to is not None:
        yield "cache_to", spec.cache_to
    if spec.kind is Kind.PUSH and not tags:
        yield "image", spec.image
    if spec.kind is Kind.REMOVE:
        yield from (("images", image) for image in spec.images)


def _read(spec: Spec) -> Iterator[tuple[str, str]]:
    """The names of images that a job uses."""
    image: str | None = getattr(spec, "image", None)
    if image is not None:
        yield "image", image
    if spec.kind is Kind.SAVE:
        yield from (("images", image) for image in spec.images)
    if spec.kind is Kind.BUILD:
        yield from (("cache_from", image) for image in spec.cache_from)
        yield from (("build_contexts", image) for image in spec.context_images)
        if spec.sbom is not None:
            yield "sbom", spec.sbom


def _check_repository(patterns: Sequence[str], image: str, field: str, what: str) -> None:
    if IMAGE_ID.fullmatch(image):
        return
    reference = Reference.parse(image)
    repository = f"{reference.domain}/{reference.path}"
    if not any(matches(pattern, repository) for pattern in patterns):
        raise Forbidden(
            f"this token may not {what} {repository}; it may {what} {', '.join(patterns) or 'nothing'}",
            slug="repository-forbidden",
            field=field,
        )
