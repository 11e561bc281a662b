"""Kinds of text that specs and requests are made of, each with what is allowed in it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shipway.models.reference import Reference, is_registry, registry_host
from shipway.models.sources import IMAGE_ID, IMAGE_SOURCE, REMOTE

MAX_TEXT = 65_536


def _reference(text: str) -> str:
    try:
        return str(Reference.parse(text))
    except ValueError as fault:
        raise PydanticCustomError("invalid-image-name", "{reason}", {"reason": str(fault)}) from None


def _image_or_id(text: str) -> str:
    return text if IMAGE_ID.fullmatch(text) else _reference(text)


def _registry(text: str) -> str:
    host = registry_host(text)
    if not is_registry(host):
        reason = f"{text[:200]!r} is not a registry: expected its host, with its port if need be"
        raise PydanticCustomError("invalid-registry-name", "{reason}", {"reason": reason})
    return host


def _relative_path(text: str) -> str:
    parts = text.split("/")
    if text.startswith("/") or ".." in parts or "\0" in text:
        raise PydanticCustomError(
            "dockerfile-outside-context",
            "the Dockerfile's path must lie inside the context, without '..'; "
            "send one that lies outside as a context of its own (dockerfile_context)",
        )
    return "/".join(part for part in parts if part not in ("", ".")) or "Dockerfile"


def _context_name(text: str) -> str:
    """Write a context's name as BuildKit looks it up: as an image's, `latest` left out."""
    try:
        return str(Reference.parse(text)).removesuffix(":latest")
    except ValueError:
        raise PydanticCustomError(
            "invalid-context-name",
            "a further context is named like an image: lower case letters, digits and separators",
        ) from None


def _named_source(text: str) -> str:
    image = text.removeprefix(IMAGE_SOURCE)
    if image != text:
        return IMAGE_SOURCE + _reference(image)
    if IMAGE_ID.fullmatch(text) or re.match(REMOTE, text):
        return text
    raise PydanticCustomError(
        "invalid-context-source",
        "a further context is the digest of an uploaded one, a URL, or docker-image:// and an image's name",
    )


def _without_nul(text: str) -> str:
    """Refuse what no argument or variable of a process can hold; the daemon would fail in mid-build."""
    if "\0" in text:
        raise PydanticCustomError("invalid-request", "text can't hold a NUL character")
    return text


ImageName = Annotated[str, Field(max_length=512), AfterValidator(_reference)]
"""An image reference by the distribution grammar; a missing tag becomes `latest`."""

# Field comes first: its limits also refuse half a surrogate pair, which no JSON encoder could pass on.
Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_without_nul)]
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_without_nul)]
StageName = Annotated[str, Field(max_length=256), AfterValidator(_without_nul)]
InnerPath = Annotated[str, Field(max_length=4096), AfterValidator(_relative_path)]
"""A Dockerfile's path inside its context, without `..`."""
Platform = Annotated[str, Field(pattern=r"^[a-z0-9_]+(/[a-z0-9_]+){0,2}$")]
"""`os/arch[/variant]`."""
ContextDigest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
ImageRef = Annotated[str, AfterValidator(_image_or_id), Field(max_length=512)]
"""An image by reference or by its id (`sha256:…`)."""
ContainerName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$")]
WorkerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
RegistryHost = Annotated[str, Field(max_length=255), AfterValidator(_registry)]
"""A registry by its host, with its port if that isn't the usual one; `docker.io` for Docker Hub."""
ArtifactId = Annotated[str, Field(pattern=r"^[0-9A-Z]{26}$", description="id that POST /v1/artifacts answered")]
RemoteURL = Annotated[str, Field(max_length=4096, pattern=REMOTE)]
ContextName = Annotated[str, Field(max_length=256), AfterValidator(_context_name)]
NamedSource = Annotated[str, Field(max_length=4096), AfterValidator(_without_nul), AfterValidator(_named_source)]
"""What a further context is made of: the digest of an uploaded one, a URL, or `docker-image://REFERENCE`."""
Change = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, description="a Dockerfile line, as docker commit -c")]
