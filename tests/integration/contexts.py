"""Small contexts for builds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from hashlib import sha256

from shipway.context.packs import PLAIN, Member, Pack, header_of
from tests.unit.context.archives import packed


def once() -> str:
    """Return a word that no earlier build had, so that a step with it is not cached."""
    return uuid.uuid4().hex


def script(*lines: str) -> dict[str, bytes]:
    """Make a context of nothing but a Dockerfile."""
    return {"Dockerfile": "\n".join(lines).encode() + b"\n"}


def pack_of(*contents: bytes) -> Pack:
    """The pack of some contents."""
    return Pack(tuple(Member(len(content), sha256(content).digest()) for content in contents))


def wire(*contents: bytes) -> bytes:
    """A pack as it is sent."""
    body = b"".join(contents)
    return header_of(pack_of(*contents), PLAIN, len(body)) + body


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Pack files as a plain tar."""
    return packed(files.items())
