"""The options of a build: keyword arguments on this side, a `BuildRequest` on the other."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from pydantic import BaseModel, ValidationError

from shipway.context.url import is_local
from shipway.exceptions import InvalidRequest
from shipway.models.request import BuildRequest, CommitRequest, ImportRequest
from shipway.models.spec import RegistryLogin

M = TypeVar("M", bound=BaseModel)


class BuildKeywords(TypedDict, total=False):
    """What `build` takes besides the context; see `shipway.models.spec.BuildOptions` for the meaning.

    `secrets` maps a secret's id to its value; `ssh` maps an ssh agent's id to its private keys; `agents` are ids of ssh
    agents that this side answers for (see `forwarding`); `registries` maps a registry's host to its login;
    `build_contexts` maps a name to a directory, a URL, `docker-image://` with an image's name, or the digest of an
    uploaded context.
    """

    tags: Sequence[str]
    push: bool
    build_args: Mapping[str, str]
    target: str | None
    platform: str | None
    labels: Mapping[str, str]
    no_cache: bool
    pull: bool
    network: str | None
    extra_hosts: Sequence[str]
    cache_from: Sequence[str]
    agents: Sequence[str]
    build_contexts: Mapping[str, str]
    builder: str
    worker: str | None
    timeout: float
    priority: int
    secrets: Mapping[str, bytes]
    ssh: Mapping[str, Sequence[bytes]]
    registries: Mapping[str, RegistryLogin]


_SOME_DIGEST = "sha256:" + "0" * 64


def build_request(
    context: str | None,
    dockerfile: str,
    dockerfile_context: str | None,
    options: BuildKeywords,
    *,
    remote: str | None = None,
) -> BuildRequest:
    """Put a request together: `context` is the digest of an uploaded one, `remote` the URL of another.

    Raises:
        InvalidRequest: an option is wrong; `field` names it. The value itself is not told: it may be secret.
    """
    secrets = {name: _base64(value) for name, value in options.get("secrets", {}).items()}
    ssh = {name: [_base64(key) for key in keys] for name, keys in options.get("ssh", {}).items()}
    fields = {
        **options,
        "context": context,
        "remote": remote,
        "dockerfile": dockerfile,
        "dockerfile_context": dockerfile_context,
        "secrets": secrets,
        "ssh": ssh,
    }
    return validated(BuildRequest, fields)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def validated(model: type[M], fields: Mapping[str, Any]) -> M:
    """Make a request of keyword arguments.

    Raises:
        InvalidRequest: an option is wrong; `field` names it. The value itself is not told: it may be secret.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        # A type with a hyphen is one of Shipway's own slugs.
        slug = first["type"] if "-" in first["type"] else None
        told = f"{field}: {first['msg']}" if field else first["msg"]
        raise InvalidRequest(told, slug=slug, field=field or None) from None


def check_options(options: BuildKeywords) -> None:
    """Tell what is wrong with the options before anything is uploaded.

    Raises:
        InvalidRequest: an option is wrong.
    """
    sources = options.get("build_contexts", {}).items()
    named = {name: _SOME_DIGEST if is_local(source) else source for name, source in sources}
    check_push(build_request(_SOME_DIGEST, "Dockerfile", None, {**options, "build_contexts": named}))


def check_push(request: BuildRequest | CommitRequest | ImportRequest) -> None:
    """Raise InvalidRequest (`push-without-tag`) when a request asks to push an image that gets no name."""
    if request.push and not request.tags:
        raise InvalidRequest("there is nothing to push: give at least one tag", slug="push-without-tag", field="tags")
