"""What the service answers to an uploaded context."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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
