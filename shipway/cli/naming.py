"""Images as people name them: by a reference, by a whole id, or by the first digits of one that `images` shows."""

from __future__ import annotations

import re

from shipway.client import AsyncClient
from shipway.exceptions import ClientError

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
