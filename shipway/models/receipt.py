"""What client and service say to each other about uploads."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

PackName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ContextReceipt(BaseModel):
    """A stored context: name it by its digest in a build."""

    model_config = ConfigDict(frozen=True)

    digest: str = Field(description="sha256:… over paths, types, modes, sizes, links and contents")
    entries: int = Field(description="files, directories and links")
    bytes: int = Field(description="bytes of content of all files")


class ArtifactReceipt(BaseModel):
    """A stored archive: name it in a load or an import."""

    model_config = ConfigDict(frozen=True)

    artifact: str
    bytes: int


class Wanted(BaseModel):
    """Packs that a client would send, and the context that they are for, once that is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    context: str | None = Field(None, description="sha256:… of the context", pattern=r"^sha256:[0-9a-f]{64}$")
    packs: tuple[PackName, ...] = Field(description="names of packs")


class Missing(BaseModel):
    """What is left to send."""

    model_config = ConfigDict(frozen=True)

    context: ContextReceipt | None = Field(None, description="the context, if it is there already")
    packs: list[str] = Field(description="names of packs that are not there")
