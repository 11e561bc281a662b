"""What a client may ask for. A spec is immutable once accepted.

Secret values and registry credentials are never part of a spec: they travel beside it (`Credentials`) and
are deleted when the job ends.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticCustomError

from shipway.models.reference import Reference

MAX_TEXT = 65_536


class Kind(StrEnum):
    """The kinds of job."""

    BUILD = "build"


class Builder(StrEnum):
    """Which of the daemon's two builders runs a build."""

    BUILDKIT = "buildkit"
    CLASSIC = "classic"


class Frozen(BaseModel):
    """Base of specs: immutable.

    A field that a newer version added is ignored; the request models refuse what they don't know.
    """

    model_config = ConfigDict(frozen=True)


def _reference(text: str) -> str:
    try:
        return str(Reference.parse(text))
    except ValueError as fault:
        raise PydanticCustomError("invalid-image-name", "{reason}", {"reason": str(fault)}) from None


def _relative_path(text: str) -> str:
    parts = text.split("/")
    if text.startswith("/") or ".." in parts or "\0" in text:
        raise PydanticCustomError(
            "dockerfile-outside-context",
            "the Dockerfile's path must lie inside the context, without '..'; "
            "send one that lies outside as a context of its own (dockerfile_context)",
        )
    return "/".join(part for part in parts if part not in ("", ".")) or "Dockerfile"


ImageName = Annotated[str, AfterValidator(_reference), Field(max_length=512)]
"""An image reference by the distribution grammar; a missing tag becomes `latest`."""

Name = Annotated[str, Field(min_length=1, max_length=256)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
ContextDigest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class BuildOptions(Frozen):
    """What a build may be told: Docker's own options under Docker's own names."""

    context: ContextDigest = Field(description="digest that POST /v1/contexts answered")
    dockerfile: Annotated[str, AfterValidator(_relative_path), Field(max_length=4096)] = Field(
        "Dockerfile", description="path of the Dockerfile inside the context"
    )
    dockerfile_context: ContextDigest | None = Field(
        None, description="another context that holds the Dockerfile, when it lies outside (docker build -f)"
    )
    tags: tuple[ImageName, ...] = Field((), max_length=64, description="names for the image")
    push: bool = Field(False, description="push every tag to its registry")
    build_args: dict[Name, Text] = Field({}, max_length=512)
    target: str | None = Field(None, max_length=256, description="stage to stop at")
    platform: str | None = Field(None, pattern=r"^[a-z0-9_]+(/[a-z0-9_]+){0,2}$", description="os/arch[/variant]")
    labels: dict[Name, Text] = Field({}, max_length=512)
    no_cache: bool = Field(False, description="run every step anew")
    pull: bool = Field(False, description="look for newer base images")
    network: str | None = Field(
        None, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,255}$", description="network of RUN steps"
    )
    extra_hosts: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+[:=].+$", max_length=512)], ...] = Field(
        (), max_length=256, description="HOST:IP lines for /etc/hosts of RUN steps"
    )
    cache_from: tuple[ImageName, ...] = Field((), max_length=64, description="images to take cached steps from")
    builder: Builder = Builder.BUILDKIT
    timeout: float = Field(3600, gt=0, le=86_400, description="seconds the job may run")
    priority: int = Field(5, ge=0, le=9, description="0 is served first")


class BuildSpec(BuildOptions):
    """A build as it was accepted; what is secret is only named."""

    kind: Literal[Kind.BUILD] = Kind.BUILD
    secrets: tuple[Name, ...] = Field((), description="ids of the secrets that came with the request")


Spec = BuildSpec
"""Any spec; `kind` tells which."""

SPEC: TypeAdapter[Spec] = TypeAdapter(Spec)
"""Reads a spec from JSON by its `kind`."""


class RegistryLogin(Frozen):
    """User and password (or token) for one registry."""

    username: str = Field(max_length=4096)
    password: str = Field(max_length=65_536, repr=False)


class Credentials(Frozen):
    """Secret values that travel with a job and end with it.

    `secrets` maps a build secret's id to its value, base64. `registries` maps a registry's host to its login.
    """

    secrets: dict[str, str] = Field({}, repr=False, max_length=64)
    registries: dict[str, RegistryLogin] = Field({}, repr=False, max_length=64)
