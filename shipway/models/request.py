"""What a client sends to start a job: the spec's options, with the secret values beside them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shipway.models.credentials import Credentials, RegistryLogin
from shipway.models.fields import ImageName, Name, WorkerName
from shipway.models.spec import (
    BuildOptions,
    BuildSpec,
    CommitOptions,
    CommitSpec,
    ExportOptions,
    ExportSpec,
    ImportOptions,
    ImportSpec,
    LoadOptions,
    LoadSpec,
    PruneOptions,
    PruneSpec,
    PullOptions,
    PullSpec,
    PushOptions,
    PushSpec,
    SaveOptions,
    SaveSpec,
    TagSpec,
)

MAX_SECRET = 500 * 1024


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("a secret's value is sent as base64") from None
    return text


Workers = Annotated[
    Literal["any", "all"] | tuple[WorkerName, ...],
    Field(description="`any` one, `all` that live, or a list of names; one job for each"),
]
SecretValue = Annotated[str, AfterValidator(_base64), Field(max_length=MAX_SECRET * 4 // 3 + 4)]
SshKeys = Annotated[tuple[SecretValue, ...], Field(min_length=1, max_length=16)]


class Strict(BaseModel):
    """Base of requests: a field that isn't known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WithLogins(Strict):
    """Registry logins that come with a request and end with its job."""

    registries: dict[Name, RegistryLogin] = Field(
        {}, max_length=64, repr=False, description="logins for registries: host to username and password"
    )

    @property
    def credentials(self) -> Credentials:
        """What is secret, without anything else."""
        return Credentials(registries=self.registries)


class BuildRequest(BuildOptions, WithLogins):
    """The JSON body of `POST /v1/builds`."""

    secrets: dict[Name, SecretValue] = Field({}, max_length=64, repr=False, description="build secrets: id to base64")

    ssh: dict[Name, SshKeys] = Field(
        {}, max_length=64, repr=False, description="ssh agents for RUN --mount=type=ssh: id to private keys, base64"
    )

    @property
    def spec(self) -> BuildSpec:
        """What is asked, without any secret value."""
        options = self.model_dump(exclude={"secrets", "ssh", "registries"})
        return BuildSpec.model_validate(options | {"secrets": tuple(self.secrets), "ssh": tuple(self.ssh)})

    @property
    def credentials(self) -> Credentials:
        """What is secret, without anything else."""
        return Credentials(secrets=self.secrets, ssh=self.ssh, registries=self.registries)


class CommitRequest(CommitOptions, WithLogins):
    """The JSON body of `POST /v1/commits`."""

    @property
    def spec(self) -> CommitSpec:
        """What is asked, without any secret value."""
        return CommitSpec.model_validate(self.model_dump(exclude={"registries"}))


class ImportRequest(ImportOptions, WithLogins):
    """The JSON body of `POST /v1/imports`."""

    @property
    def spec(self) -> ImportSpec:
        """What is asked, without any secret value."""
        return ImportSpec.model_validate(self.model_dump(exclude={"registries"}))


class PushRequest(PushOptions, WithLogins):
    """The JSON body of `POST /v1/pushes`."""

    @property
    def spec(self) -> PushSpec:
        """What is asked, without any secret value."""
        return PushSpec.model_validate(self.model_dump(exclude={"registries"}))


class PullRequest(PullOptions, WithLogins):
    """The JSON body of `POST /v1/pulls`."""

    workers: Workers = "any"

    def spec_for(self, worker: str | None) -> PullSpec:
        """What is asked of one worker, without any secret value."""
        return PullSpec.model_validate(_of_worker(self, worker))


class LoadRequest(Strict, LoadOptions):
    """The JSON body of `POST /v1/loads`."""

    workers: Workers = "any"

    def spec_for(self, worker: str | None) -> LoadSpec:
        """What is asked of one worker."""
        return LoadSpec.model_validate(_of_worker(self, worker))


class PruneRequest(Strict, PruneOptions):
    """The JSON body of `POST /v1/prunes`."""

    workers: Workers = "all"

    def spec_for(self, worker: str | None) -> PruneSpec:
        """What is asked of one worker."""
        return PruneSpec.model_validate(_of_worker(self, worker))


class SaveRequest(Strict, SaveOptions):
    """The JSON body of `POST /v1/saves`."""

    @property
    def spec(self) -> SaveSpec:
        """What is asked."""
        return SaveSpec.model_validate(self.model_dump())


class ExportRequest(ExportOptions, WithLogins):
    """The JSON body of `POST /v1/exports`."""

    @property
    def spec(self) -> ExportSpec:
        """What is asked, without any secret value."""
        return ExportSpec.model_validate(self.model_dump(exclude={"registries"}))


class TagRequest(Strict):
    """The JSON body of `POST /v1/images/{image}/tags`."""

    tags: tuple[ImageName, ...] = Field(min_length=1, max_length=64)
    worker: WorkerName | None = None

    def spec_for(self, image: str) -> TagSpec:
        """What is asked for one image."""
        return TagSpec(image=image, tags=self.tags, worker=self.worker)


def _of_worker(request: BaseModel, worker: str | None) -> dict[str, object]:
    options = request.model_dump(exclude={"registries", "workers"})
    return options if worker is None else options | {"worker": worker}
