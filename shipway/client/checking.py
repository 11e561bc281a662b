"""Checks what is asked before anything is sent, by the same models as the service's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shipway.client.options import BuildKeywords, build_fields, push_without_tag
from shipway.context.url import is_local
from shipway.exceptions import InvalidRequest
from shipway.models.request import BuildRequest, CommitRequest, ImportRequest

M = TypeVar("M", bound=BaseModel)

_SOME_DIGEST = "sha256:" + "0" * 64


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
    fields = build_fields(_SOME_DIGEST, "Dockerfile", None, {**options, "build_contexts": named})
    check_push(validated(BuildRequest, fields))


def check_push(request: BuildRequest | CommitRequest | ImportRequest) -> None:
    """Raise InvalidRequest (`push-without-tag`) when a request asks to push an image that gets no name."""
    if request.push and not request.tags:
        raise push_without_tag()
