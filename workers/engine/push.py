"""Pushes one tag of one image to its registry."""

from __future__ import annotations

import re

from aiodocker import DockerError

from shipway.exceptions import BuildSystemError, BuildUserError
from shipway.models.credentials import RegistryLogin
from shipway.models.event import Progress
from shipway.models.reference import Reference
from workers.engine import failures
from workers.engine.api import DaemonApi
from workers.engine.contract import Sink
from workers.engine.logins import auth_header
from workers.engine.stream import Message, error_in, messages
from workers.engine.throttle import Throttle

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IN_WORDS = re.compile(r"\S+: digest: (sha256:[0-9a-f]{64}) size: \d+")
VERIFYING = 60.0
"""Seconds that the registry may take to say which digest it has."""


async def push(api: DaemonApi, reference: Reference, login: RegistryLogin | None, sink: Sink) -> str:
    """Push, then ask the registry what it has under that name.

    Returns:
        The manifest's digest, `sha256:…`, the same from the daemon and from the registry.

    Raises:
        BuildUserError: the registry refuses this login (`registry-denied`).
        BuildSystemError: anything else went wrong.
    """
    if reference.tag is None:
        raise BuildUserError(f"{reference} has no tag to push", slug="invalid-reference")
    try:
        digest = await _send(api, reference, auth_header(reference.domain, login), sink)
    except DockerError as error:
        raise failures.of_push(error.message, str(reference)) from error
    confirmed = await registered(api, reference, login)
    if confirmed != digest:
        message = f"pushed {reference} as {digest}, but its registry has {confirmed} under that name"
        raise BuildSystemError(message, slug="digest-mismatch")
    return digest


async def registered(
    api: DaemonApi, reference: Reference, login: RegistryLogin | None, limit: float = VERIFYING
) -> str:
    """Ask a registry for the digest of what it has under a name; `limit` is in seconds.

    Raises:
        JobError: it has nothing, refuses this login, or does not answer.
    """
    path, headers = f"distribution/{reference}/json", auth_header(reference.domain, login)
    try:
        answer = await api.json("GET", path, headers=headers, limit=limit)
    except DockerError as error:
        raise failures.of_push(error.message, str(reference)) from error
    return str(answer["Descriptor"]["digest"])


async def _send(api: DaemonApi, reference: Reference, headers: dict[str, str], sink: Sink) -> str:
    throttle, digest = Throttle(), None
    path, query = f"images/{reference.name}/push", [("tag", reference.tag or "latest")]
    async with api.request("POST", path, query=query, headers=headers) as response:
        async for message in messages(response.content):
            if (text := error_in(message)) is not None:
                raise failures.of_push(text, str(reference))
            digest = _told_digest(message) or digest
            report = _report(message)
            if report is not None and throttle.passes(report):
                await sink(report)
    if digest is None:
        raise BuildSystemError(f"the daemon ended the push of {reference} without a digest", slug="push-stream-ended")
    return digest


def _told_digest(message: Message) -> str | None:
    """The digest of what was pushed: a field of its own, or (with the containerd image store) in words only."""
    aux = message.get("aux")
    if isinstance(aux, dict) and _DIGEST.fullmatch(str(aux.get("Digest"))):
        return str(aux["Digest"])
    words = _IN_WORDS.fullmatch(str(message.get("status")))
    return words[1] if words else None


def _report(message: Message) -> Progress | None:
    layer, status = message.get("id"), message.get("status")
    if not layer or not status:
        return None
    detail = message.get("progressDetail") or {}
    current, total = int(detail.get("current") or 0), detail.get("total")
    # A layer that compresses badly passes its own total, which the daemon computed before.
    return Progress(id=str(layer), action=str(status), current=current, total=max(total, current) if total else None)
