"""What a client sends to start a job: the spec's options, with the secret values beside them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from shipway.models.spec import BuildOptions, BuildSpec, Credentials, Name, RegistryLogin

MAX_SECRET = 500 * 1024


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("a secret's value is sent as base64") from None
    return text


SecretValue = Annotated[str, AfterValidator(_base64), Field(max_length=MAX_SECRET * 4 // 3 + 4)]


class BuildRequest(BuildOptions):
    """The JSON body of `POST /v1/builds`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secrets: dict[Name, SecretValue] = Field({}, max_length=64, repr=False, description="build secrets: id to base64")
    registries: dict[Name, RegistryLogin] = Field(
        {}, max_length=64, repr=False, description="logins for pushing and for base images: registry host to login"
    )

    @property
    def spec(self) -> BuildSpec:
        """What is asked, without any secret value."""
        options = self.model_dump(exclude={"secrets", "registries"})
        return BuildSpec.model_validate(options | {"secrets": tuple(self.secrets)})

    @property
    def credentials(self) -> Credentials:
        """What is secret, without anything else."""
        return Credentials(secrets=self.secrets, registries=self.registries)
