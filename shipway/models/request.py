"""What a client sends to start a job: the spec's options, with the secret values beside them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shipway.models.spec import (
    ArtifactId,
    BuildOptions,
    BuildSpec,
    CommitOptions,
    CommitSpec,
    Credentials,
    ImportOptions,
    ImportSpec,
    LoadSpec,
    Name,
    Options,
    PullOptions,
    PullSpec,
    PushOptions,
    PushSpec,
    RegistryLogin,
    WorkerName,
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


class WithLogins(BaseModel):
    """Registry logins that come with a request and end with its job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    @property
    def spec(self) -> BuildSpec:
        """What is asked, without any secret value."""
        options = self.model_dump(exclude={"secrets", "registries"})
        return BuildSpec.model_validate(options | {"secrets": tuple(self.secrets)})

    @property
    def credentials(self) -> Credentials:
        """What is secret, without anything else."""
        return Credentials(secrets=self.secrets, registries=self.registries)


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

    @property
    def spec(self) -> PullSpec:
        """What is asked, without any secret value."""
        return PullSpec.model_validate(self.model_dump(exclude={"registries", "workers"}))


class LoadRequest(Options):
    """The JSON body of `POST /v1/loads`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artifact: ArtifactId
    workers: Workers = "any"

    @property
    def spec(self) -> LoadSpec:
        """What is asked, of one worker."""
        return LoadSpec.model_validate(self.model_dump(exclude={"workers"}))
