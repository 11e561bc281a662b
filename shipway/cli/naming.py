"""Images as people name them: by a reference, by a whole id, or by the first digits of one that `images` shows."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from shipway.client import AsyncClient
from shipway.exceptions import ClientError
from shipway.models.reference import Reference

_DIGITS = re.compile(r"(?:sha256:)?(?P<digits>[0-9a-f]{4,64})")
_WHOLE = 64


async def resolved(client: AsyncClient, image: str) -> str:
    """Return what names an image to the service. A name that looks like an id goes before an id, as with docker.

    Raises:
        ClientError: several images have such an id (`image-ambiguous`).
    """
    match = _DIGITS.fullmatch(image)
    if match is None or (image.startswith("sha256:") and len(match["digits"]) == _WHOLE):
        return image
    known = await client.images()
    if not image.startswith("sha256:") and any(f"{image}:latest" in one.tags for one in known):
        return image
    ids = {one.id for one in known if one.id.removeprefix("sha256:").startswith(match["digits"])}
    if len(ids) > 1:
        raise ClientError(f"{len(ids)} images have an id that begins with {image}", slug="image-ambiguous")
    return ids.pop() if ids else image


def in_repository(name: str, repository: str) -> bool:
    """Whether an image's name is one of a repository; raises ClientError when that is no repository's name."""
    try:
        wanted = Reference.parse(repository)
    except ValueError as fault:
        raise ClientError(str(fault), slug="invalid-image-name", field="image") from None
    if wanted.digest or repository.endswith(f":{wanted.tag}"):
        raise ClientError(f"{repository!r} names one image, not a repository", slug="invalid-image-name", field="image")
    return Reference.parse(name).name == wanted.name


def matches(name: str, pattern: str) -> bool:
    """Whether an image's name, with its tag or without, fits a pattern; `*` stands for anything but a slash."""
    repository = name.rpartition(":")[0]
    return any(_fits(given.split("/"), pattern.split("/")) for given in (name, repository))


def _fits(parts: list[str], patterns: list[str]) -> bool:
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))
