"""The options of a build: keyword arguments on this side, the JSON of a request on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from shipway.exceptions import InvalidRequest
from shipway.models.reference import Reference

if TYPE_CHECKING:
    from shipway.client.logins import Login
    from shipway.models.credentials import RegistryLogin


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
    cache_to: str | None
    cache_mode: str
    agents: Sequence[str]
    build_contexts: Mapping[str, str]
    builder: str
    provenance: str | None
    sbom: str | None
    worker: str | None
    timeout: float
    priority: int
    secrets: Mapping[str, bytes]
    ssh: Mapping[str, Sequence[bytes]]
    registries: Mapping[str, RegistryLogin | Login]


def build_fields(
    context: str | None,
    dockerfile: str,
    dockerfile_context: str | None,
    options: BuildKeywords,
    *,
    remote: str | None = None,
) -> dict[str, Any]:
    """Put a request together: `context` is the digest of an uploaded one, `remote` the URL of another.

    What says nothing is left out.
    """
    fields: dict[str, Any] = {
        **options,
        "context": context,
        "remote": remote,
        "dockerfile": dockerfile,
        "dockerfile_context": dockerfile_context,
        "secrets": {name: _base64(value) for name, value in options.get("secrets", {}).items()},
        "ssh": {name: [_base64(key) for key in keys] for name, keys in options.get("ssh", {}).items()},
    }
    return {name: value for name, value in fields.items() if value is not False and value not in (None, "", [], (), {})}


def check_tags(options: BuildKeywords) -> None:
    """Tell at once, without the service, what is most often wrong.

    Raises:
        InvalidRequest: a tag is no name for an image (`invalid-image-name`), or there is none to push
            (`push-without-tag`).
    """
    for number, tag in enumerate(options.get("tags", ())):
        try:
            Reference.parse(tag)
        except ValueError as fault:
            field = f"tags.{number}"
            raise InvalidRequest(f"{field}: {fault}", slug="invalid-image-name", field=field) from None
    if options.get("push") and not options.get("tags"):
        raise push_without_tag()


def push_without_tag() -> InvalidRequest:
    """What is told of a request to push an image that gets no name."""
    return InvalidRequest("there is nothing to push: give at least one tag", slug="push-without-tag", field="tags")


def _base64(value: bytes) -> str:
    from base64 import b64encode  # noqa: PLC0415  (few builds have a secret or a key)

    return b64encode(value).decode()
