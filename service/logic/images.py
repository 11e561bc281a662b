"""Asks workers about images: a short job on the worker that has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from service.logic import jobs
from service.process import Process
from shipway.exceptions import InvalidRequest, NotFound
from shipway.models.credentials import Credentials
from shipway.models.image import ImageDescription
from shipway.models.spec import InspectSpec
from shipway.models.token import Caller

T = TypeVar("T")

LIMIT = 20.0
"""Seconds that somebody who asks about an image waits for a worker with a free slot."""


def valid(make: Callable[[str], T], image: str) -> T:
    """Make a spec for an image named in a URL.

    Raises:
        InvalidRequest: it is not an image name, or another value is wrong.
    """
    try:
        return make(image)
    except ValidationError as error:
        first = error.errors()[0]
        kind = str(first["type"])
        raise InvalidRequest(first["msg"], slug=kind if "-" in kind else "invalid-request", field="image") from None


async def inspect(process: Process, caller: Caller, image: str, worker: str | None) -> ImageDescription:
    """Ask a worker what its daemon knows of an image.

    Raises:
        NotFound: no worker has it.
        Unavailable: the worker that has it was too busy to answer in time.
    """
    spec = valid(lambda name: InspectSpec(image=name, worker=worker, priority=0, timeout=60), image)
    job = await jobs.submit(process, caller, spec, Credentials())
    done = await jobs.finished(process, caller, job.id, LIMIT)
    if done.result.image is None:
        message = done.error.message if done.error else "it was removed meanwhile"
        raise NotFound(f"{image}: {message}", slug=done.error.slug if done.error else "image-unknown", field="image")
    return done.result.image
