"""Small contexts for builds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from tests.unit.context.archives import packed


def once() -> str:
    """Return a word that no earlier build had, so that a step with it is not cached."""
    return uuid.uuid4().hex


def script(*lines: str) -> dict[str, bytes]:
    """Make a context of nothing but a Dockerfile."""
    return {"Dockerfile": "\n".join(lines).encode() + b"\n"}


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Pack files as a plain tar."""
    return packed(files.items())
