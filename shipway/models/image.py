"""What is known of images: on which worker they are, what they hold, how they came about."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """Base of these models: immutable."""

    model_config = ConfigDict(frozen=True)


class HistoryEntry(Model):
    """One line of an image's history, newest first, as `docker history` tells it."""

    id: str = Field(description="image id after this line, or <missing>")
    created: int = Field(description="seconds since the epoch")
    created_by: str
    size: int = Field(description="bytes that it added")
    comment: str = ""
    tags: tuple[str, ...] = ()


class ImageDescription(Model):
    """What a daemon knows of one image."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    created: str = Field(description="when, as RFC 3339")
    size: int = Field(description="bytes of all layers")
    os: str
    architecture: str
    layers: tuple[str, ...] = Field((), description="digests of the uncompressed layers, lowest first")
    author: str = ""
    comment: str = ""
    config: dict[str, object] = Field({}, description="Env, Cmd, Entrypoint and so on, as the daemon tells them")
    history: tuple[HistoryEntry, ...] = ()


class ImageOnWorker(Model):
    """An image that a worker's daemon has."""

    worker: str
    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    created: int = Field(description="when it was made, seconds since the epoch")
    since: float = Field(description="when this worker was first seen with it, seconds since the epoch")
    size: int = Field(description="bytes of all layers")
