"""What a client may ask for. A spec is immutable once accepted.

Secret values and registry credentials are never part of a spec: they travel beside it, and are deleted when the job
ends (`shipway/models/credentials.py`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from shipway.models.agent import MAX_AGENTS
from shipway.models.fields import (
    ArtifactId,
    Change,
    ContainerName,
    ContextDigest,
    ContextName,
    ImageName,
    ImageRef,
    InnerPath,
    Name,
    NamedSource,
    Platform,
    RegistryHost,
    RemoteURL,
    StageName,
    Text,
    WorkerName,
)
from shipway.models.reference import Reference
from shipway.models.sources import IMAGE_ID, IMAGE_SOURCE

SHARED_QUEUE = "shipway"


def own_queue(worker: str) -> str:
    """Name of the queue that only this worker reads."""
    return f"{SHARED_QUEUE}.worker.{worker}"


def pool_queue(pool: str) -> str:
    """Name of the queue that the workers of a pool read; that of no pool is everybody's."""
    return f"{SHARED_QUEUE}.pool.{pool}" if pool else SHARED_QUEUE


class Kind(StrEnum):
    """The kinds of job."""

    BUILD = "build"
    COMMIT = "commit"
    IMPORT = "import"
    LOAD = "load"
    SAVE = "save"
    EXPORT = "export"
    PUSH = "push"
    PULL = "pull"
    INSPECT = "inspect"
    TAG = "tag"
    REMOVE = "remove"
    PRUNE = "prune"
    LOGIN = "login"


class Compression(StrEnum):
    """How an archive is packed for its download."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


class Builder(StrEnum):
    """Which of the daemon's two builders runs a build."""

    BUILDKIT = "buildkit"
    CLASSIC = "classic"


class Frozen(BaseModel):
    """Base of specs: immutable.

    A field that a newer version added is ignored; the request models refuse what they don't know.
    """

    model_config = ConfigDict(frozen=True)


class Options(Frozen):
    """What every kind of job may be told."""

    worker: WorkerName | None = Field(None, description="run on this worker; any that fits when empty")
    timeout: float = Field(3600, gt=0, le=86_400, description="seconds the job may run")
    priority: int = Field(5, ge=0, le=9, description="0 is served first")

    def queue(self, pool: str = "") -> str:
        """Name of the queue that the job waits in: that of its project's pool, or of one worker."""
        return pool_queue(pool) if self.worker is None else own_queue(self.worker)


class BuildOptions(Options):
    """What a build may be told: Docker's own options under Docker's own names."""

    context: ContextDigest | None = Field(None, description="digest that POST /v1/contexts answered")
    remote: RemoteURL | None = Field(
        None, description="instead of a context: URL of a git repository (#ref:directory), a tarball or a Dockerfile"
    )
    build_contexts: dict[ContextName, NamedSource] = Field(
        {},
        max_length=64,
        description="further contexts for FROM and COPY --from, by name: the digest of an uploaded context, a URL, "
        "or docker-image:// and an image's name (BuildKit, Engine 23 or newer)",
    )
    dockerfile: InnerPath = Field("Dockerfile", description="path of the Dockerfile inside the context")
    dockerfile_context: ContextDigest | None = Field(
        None, description="another context that holds the Dockerfile, when it lies outside (docker build -f)"
    )
    tags: tuple[ImageName, ...] = Field((), max_length=64, description="names for the image")
    push: bool = Field(False, description="push every tag to its registry")
    build_args: dict[Name, Text] = Field({}, max_length=512)
    target: StageName | None = Field(None, description="stage to stop at")
    platform: Platform | None = Field(None, description="os/arch[/variant]")
    labels: dict[Name, Text] = Field({}, max_length=512)
    no_cache: bool = Field(False, description="run every step anew")
    pull: bool = Field(False, description="look for newer base images")
    network: str | None = Field(
        None, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,255}$", description="network of RUN steps"
    )
    extra_hosts: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+[:=][^\x00-\x20]+$", max_length=512)], ...] = (
        Field((), max_length=256, description="HOST:IP lines for /etc/hosts of RUN steps")
    )
    cache_from: tuple[ImageName, ...] = Field((), max_length=64, description="images to take cached steps from")
    cache_to: ImageName | None = Field(
        None, description="name under which a registry keeps the steps (BuildKit, containerd image store)"
    )
    cache_mode: Literal["min", "max"] = Field(
        "min", description="which steps are kept by `cache_to`: those of the image, or those of every stage"
    )
    agents: tuple[Name, ...] = Field(
        (), max_length=MAX_AGENTS, description="ids of ssh agents that the client answers for while the build runs"
    )
    builder: Builder = Builder.BUILDKIT
    provenance: Literal["min", "max"] | None = Field(
        None, description="attest how the image was built, in short or in full (BuildKit, containerd image store)"
    )
    sbom: ImageName | None = Field(
        None, description="attest what is in the image, by a scanner: the name of its image (as `provenance`)"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.context is None) == (self.remote is None):
            raise PydanticCustomError("context-missing", "give either a context or a remote URL")
        if self.build_contexts and self.builder is not Builder.BUILDKIT:
            raise PydanticCustomError("build-contexts-unsupported", "only BuildKit knows further contexts")
        if self.attested and self.builder is not Builder.BUILDKIT:
            raise PydanticCustomError("attestations-unsupported", "only BuildKit attests what it builds")
        if self.cache_to is not None and self.builder is not Builder.BUILDKIT:
            raise PydanticCustomError("cache-export-unsupported", "only BuildKit puts its steps into a registry")
        return self

    @property
    def attested(self) -> bool:
        """Whether the image is to carry attestations."""
        return self.provenance is not None or self.sbom is not None

    @property
    def uploaded_contexts(self) -> dict[str, str]:
        """The further contexts that were uploaded: name to digest."""
        return {name: source for name, source in self.build_contexts.items() if IMAGE_ID.fullmatch(source)}

    @property
    def context_images(self) -> tuple[str, ...]:
        """The images among the further contexts."""
        sources = self.build_contexts.values()
        return tuple(source.removeprefix(IMAGE_SOURCE) for source in sources if source.startswith(IMAGE_SOURCE))


class BuildSpec(BuildOptions):
    """A build as it was accepted; what is secret is only named."""

    kind: Literal[Kind.BUILD] = Kind.BUILD
    secrets: tuple[Name, ...] = Field((), description="ids of the secrets that came with the request")
    ssh: tuple[Name, ...] = Field((), description="ids of the ssh agents whose keys came with the request")

    @property
    def lineage(self) -> tuple[str, ...]:
        """What builds have in common that are likely to share their steps: image, source, Dockerfile, target."""
        image = Reference.parse(self.tags[0]).name if self.tags else ""
        source = (self.remote or "").partition("#")[0]
        return (image, source, self.dockerfile, self.target or "")


class _OfImageOrContainer(Options):
    """What is done to a container: to a new one of an image, or to one that is there."""

    image: ImageRef | None = Field(None, description="image to start from")
    container: ContainerName | None = Field(None, description="or a container that exists on the worker named")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.image is None) == (self.container is None):
            raise PydanticCustomError("source-missing", "give either an image or a container")
        if self.container is not None and self.worker is None:
            raise PydanticCustomError("worker-missing", "name the worker that has the container")
        return self


class CommitOptions(_OfImageOrContainer):
    """An image made by hand: start a container from an image (or take one that is there), change it, commit."""

    context: ContextDigest | None = Field(None, description="context that holds the files to copy")
    run: tuple[Text, ...] = Field((), max_length=256, description="shell commands to run in the container, in order")
    copies: tuple[tuple[Text, Text], ...] = Field(
        (), max_length=256, description="pairs of a path in the context and one in the container, copied before run"
    )
    changes: tuple[Change, ...] = Field((), max_length=256)
    author: str = Field("", max_length=1024)
    message: str = Field("", max_length=4096)
    pause: bool = Field(True, description="pause a running container while it is committed")
    tags: tuple[ImageName, ...] = Field((), max_length=64)
    push: bool = False

    @model_validator(mode="after")
    def _files_and_where_to(self) -> Self:
        if self.container is not None and (self.run or self.copies):
            raise PydanticCustomError("container-untouched", "run and copies need an image, not a container")
        if self.copies and self.context is None:
            raise PydanticCustomError("context-missing", "files to copy come from a context")
        return self


class CommitSpec(CommitOptions):
    """A commit as it was accepted."""

    kind: Literal[Kind.COMMIT] = Kind.COMMIT


class ImportOptions(Options):
    """A tar of a filesystem as an image, without history."""

    artifact: ArtifactId | None = None
    remote: RemoteURL | None = Field(None, description="instead of an artifact: URL of a tar")
    changes: tuple[Change, ...] = Field((), max_length=256)
    message: str = Field("", max_length=4096)
    platform: Platform | None = None
    tags: tuple[ImageName, ...] = Field((), max_length=64)
    push: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.artifact is None) == (self.remote is None):
            raise PydanticCustomError("source-missing", "give either an artifact or a remote URL")
        return self


class ImportSpec(ImportOptions):
    """An import as it was accepted."""

    kind: Literal[Kind.IMPORT] = Kind.IMPORT


class LoadOptions(Options):
    """An archive made by `save` (Docker's or ours), loaded into a worker's daemon."""

    artifact: ArtifactId


class LoadSpec(LoadOptions):
    """A load as it was accepted."""

    kind: Literal[Kind.LOAD] = Kind.LOAD


class SaveOptions(Options):
    """Images in one archive that `load` (Docker's or ours) takes."""

    images: tuple[ImageRef, ...] = Field(min_length=1, max_length=256)
    compression: Compression = Compression.NONE


class SaveSpec(SaveOptions):
    """A save as it was accepted."""

    kind: Literal[Kind.SAVE] = Kind.SAVE


class ExportOptions(_OfImageOrContainer):
    """The filesystem of an image or a container as a tar."""

    compression: Compression = Compression.NONE


class ExportSpec(ExportOptions):
    """An export as it was accepted."""

    kind: Literal[Kind.EXPORT] = Kind.EXPORT


class PushOptions(Options):
    """An image that a worker has, to one or several registries."""

    image: ImageRef
    tags: tuple[ImageName, ...] = Field((), max_length=64, description="names to push it by; its own when empty")


class PushSpec(PushOptions):
    """A push as it was accepted."""

    kind: Literal[Kind.PUSH] = Kind.PUSH


class PullOptions(Options):
    """An image from a registry onto a worker."""

    image: ImageName
    platform: Platform | None = None


class PullSpec(PullOptions):
    """A pull as it was accepted."""

    kind: Literal[Kind.PULL] = Kind.PULL


class InspectSpec(Options):
    """What a daemon knows of an image, with its history."""

    kind: Literal[Kind.INSPECT] = Kind.INSPECT
    image: ImageRef


class TagSpec(Options):
    """More names for an image."""

    kind: Literal[Kind.TAG] = Kind.TAG
    image: ImageRef
    tags: tuple[ImageName, ...] = Field(min_length=1, max_length=64)


class RemoveSpec(Options):
    """Names (or ids) taken off a worker's daemon; an image goes with its last name."""

    kind: Literal[Kind.REMOVE] = Kind.REMOVE
    images: tuple[ImageRef, ...] = Field(min_length=1, max_length=256)
    force: bool = False


class PruneOptions(Options):
    """Build cache and dangling images removed from a worker's daemon."""

    keep_bytes: int = Field(0, ge=0, description="bytes of build cache to keep")


class PruneSpec(PruneOptions):
    """A prune as it was accepted."""

    kind: Literal[Kind.PRUNE] = Kind.PRUNE


class LoginSpec(Options):
    """A registry asked whether it takes the login that travels beside this."""

    kind: Literal[Kind.LOGIN] = Kind.LOGIN
    registry: RegistryHost


Spec = Annotated[
    BuildSpec
    | CommitSpec
    | ImportSpec
    | LoadSpec
    | SaveSpec
    | ExportSpec
    | PushSpec
    | PullSpec
    | InspectSpec
    | TagSpec
    | RemoveSpec
    | PruneSpec
    | LoginSpec,
    Field(discriminator="kind"),
]
"""Any spec; `kind` tells which."""

SPEC: TypeAdapter[Spec] = TypeAdapter(Spec)
"""Reads a spec from JSON by its `kind`."""
