"""Archives into the daemon: whole images (`docker load`), or a filesystem as an image (`docker import`)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence

from aiodocker import DockerError
from aiohttp import ClientResponse

from shipway.exceptions import BuildSystemError
from workers.engine import refusals
from workers.engine.api import DaemonApi
from workers.engine.contract import Sink
from workers.engine.finishing import finish
from workers.engine.progress import layer_progress
from workers.engine.stream import Message, error_in, messages
from workers.engine.throttle import Throttle
from workers.engine.upload import Upload

_LOADED = re.compile(r"^Loaded image(?: ID)?: (\S+)$", re.MULTILINE)
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_STOPS_SINCE = (1, 48)
"""API of Engine 28.0: it stops a load whose client goes away. 20.10 goes on to the end."""
UNLOADING = 10.0
"""Seconds that taking back a load may take, waiting for its end included."""


class Load:
    """One archive of images on its way into the daemon. All of it comes in, or nothing."""

    def __init__(self, api: DaemonApi, chunks: AsyncIterator[bytes], sink: Sink) -> None:
        self._api = api
        self._upload = Upload(chunks, sink)
        self._sink = sink
        self._throttle = Throttle()
        self._loaded: list[str] = []
        self._before: dict[str, str] = {}
        self._cancelled = False

    async def run(self) -> list[str]:
        """Return the names of the images that were in it, ids for those without a name.

        Raises:
            BuildUserError: it is empty, broken or holds no image (`archive-invalid`).
            BuildSystemError: the daemon is at fault.
        """
        if not await self._upload.begin():
            raise refusals.archive_invalid("the archive is empty")
        self._before = await _known(self._api)
        work = asyncio.ensure_future(self._send())
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self._cancelled = True
            if not self._upload.complete or self._api.version >= _STOPS_SINCE:
                work.cancel()
            await finish(self._take_back(work), limit=UNLOADING)
            raise
        except Exception:
            await finish(self._take_back(work), limit=UNLOADING)
            raise

    async def _send(self) -> list[str]:
        try:
            async with self._upload.to(self._api, "POST", "images/load", [("quiet", "0")]) as response:
                await self._read(response)
        except DockerError as error:
            raise refusals.of_load(error.message) from error
        if not self._loaded:  # an archive with an empty list of images is no error to the daemon
            raise refusals.archive_invalid("there is no image in the archive")
        return self._loaded

    async def _read(self, response: ClientResponse) -> None:
        async for message in messages(response.content):
            if (text := error_in(message)) is not None:
                raise refusals.of_load(text)
            self._loaded += _loaded_in(message)
            report = layer_progress(message)
            if report is not None and not self._cancelled and self._throttle.passes(report):
                await self._sink(report)

    async def _take_back(self, work: asyncio.Future[list[str]]) -> None:
        """Wait for the load to end, then give the names that were loaded back to the images that had them before."""
        await asyncio.wait([work])
        for name in self._loaded:
            before = self._before.get(name)
            if before is None:
                await _forget(self._api, name)
            elif before != name:
                repository, _, tag = name.rpartition(":")
                await self._api.json("POST", f"images/{before}/tag", query=[("repo", repository), ("tag", tag)])


async def import_tar(
    api: DaemonApi,
    chunks: AsyncIterator[bytes],
    *,
    changes: Sequence[str],
    message: str,
    platform: str | None,
    sink: Sink,
) -> str:
    """Make an image without a name of a filesystem's tar; see `Images.import_tar`."""
    upload = Upload(chunks, sink)
    if not await upload.begin():
        raise refusals.archive_invalid("the archive is empty")
    query = [("fromSrc", "-"), *(("changes", change) for change in changes)]
    query += [("message", message)] if message else []
    query += [("platform", platform)] if platform else []
    image = None
    try:
        async with upload.to(api, "POST", "images/create", query) as response:
            async for line in messages(response.content):
                if (text := error_in(line)) is not None:
                    raise refusals.of_import(DockerError(0, text), changes=False)
                if _IMAGE_ID.fullmatch(str(line.get("status"))):
                    image = str(line["status"])
    except DockerError as error:
        raise refusals.of_import(error, changes=bool(changes)) from error
    if image is None:
        raise BuildSystemError("the daemon ended the import without an image", slug="import-stream-ended")
    return image


async def _known(api: DaemonApi) -> dict[str, str]:
    """Return the id of every name and of every id that the daemon knows."""
    known: dict[str, str] = {}
    for image in await api.json("GET", "images/json", query=[("all", "1")]):
        known[image["Id"]] = image["Id"]
        known |= dict.fromkeys(image["RepoTags"] or (), image["Id"])
    return known


async def _forget(api: DaemonApi, name: str) -> None:
    try:
        await api.json("DELETE", f"images/{name}", limit=UNLOADING)
    except DockerError as error:
        if error.status not in (refusals.NOT_FOUND, refusals.CONFLICT):  # gone, or in use: by someone else then
            raise


def _loaded_in(message: Message) -> Iterator[str]:
    for name in _LOADED.findall(str(message.get("stream") or "")):
        yield str(name)
