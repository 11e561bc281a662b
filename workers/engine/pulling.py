"""Pulls one image from its registry."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiodocker import DockerError

from shipway.exceptions import BuildSystemError
from shipway.models.credentials import RegistryLogin
from shipway.models.event import Warned
from shipway.models.reference import Reference
from workers.engine import refusals
from workers.engine.api import DaemonApi
from workers.engine.contract import Sink
from workers.engine.logins import auth_header
from workers.engine.platforms import is_for
from workers.engine.progress import layer_progress
from workers.engine.stream import error_in, messages
from workers.engine.throttle import Throttle

_DIGEST = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class PulledImage:
    """An image that came from a registry.

    Attributes:
        id: `sha256:…` of the image in this daemon.
        digest: `sha256:…` of the manifest in the registry.
    """

    id: str
    digest: str


async def pull(
    api: DaemonApi, reference: Reference, login: RegistryLogin | None, platform: str | None, sink: Sink
) -> PulledImage:
    """Pull one tag or digest; see `Images.pull`."""
    try:
        digest = await _fetch(api, reference, login, platform, sink)
        image = await api.json("GET", f"images/{reference}/json")
    except DockerError as error:
        raise refusals.of_pull(error.message, str(reference)) from error
    system, architecture = str(image["Os"]), str(image["Architecture"])
    if not is_for(platform, system, architecture):
        # Both engines take an image that isn't a multi-platform one, whatever it is for.
        await sink(Warned(message=f"{reference} is for {system}/{architecture} only, not for {platform}"))
    return PulledImage(str(image["Id"]), digest)


async def _fetch(
    api: DaemonApi, reference: Reference, login: RegistryLogin | None, platform: str | None, sink: Sink
) -> str:
    query = [("fromImage", reference.name), ("tag", reference.digest or reference.tag or "latest")]
    query += [("platform", platform)] if platform else []
    throttle, digest, headers = Throttle(), None, auth_header(reference.domain, login)
    async with api.request("POST", "images/create", query=query, headers=headers) as response:
        async for message in messages(response.content):
            if (text := error_in(message)) is not None:
                raise refusals.of_pull(text, str(reference))
            if told := _DIGEST.match(str(message.get("status"))):
                digest = told[1]
            report = layer_progress(message)
            if report is not None and throttle.passes(report):
                await sink(report)
    if digest is None:
        raise BuildSystemError(f"the daemon ended the pull of {reference} without a digest", slug="pull-stream-ended")
    return digest
