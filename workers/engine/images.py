"""The images of one daemon: looked at, named, removed, and moved in and out."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiodocker import DockerError

from shipway.exceptions import BuildUserError
from shipway.models.credentials import RegistryLogin
from shipway.models.event import Warned
from shipway.models.image import HistoryEntry, ImageDescription
from workers.engine import loading, refusals
from workers.engine.api import QUICK, DaemonApi, Pairs
from workers.engine.contract import Sink
from workers.engine.names import image_name, reference
from workers.engine.platforms import is_for
from workers.engine.pulling import PulledImage, pull
from workers.engine.whole import whole_tar

SLOW = 3600.0
"""Seconds that a call which works on layers may take; jobs have limits of their own."""
LISTING = 300.0
"""Seconds that a list of all images may take."""
_NO_NAME = ("<none>:<none>", "<none>@<none>")
_RESERVED_SPACE_SINCE = (1, 48)
"""API whose `/build/prune` calls it so; it was `keep-storage`, and neither engine reads the other's word."""
SETTLING = 600
"""Seconds that a new image without a name is left alone by `prune`: its job may be about to name it."""


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """One line of `docker images`.

    Attributes:
        created: seconds since the epoch.
        size: bytes of all layers.
        containers: how many containers use it, or None where the daemon doesn't say.
    """

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    created: int
    size: int
    containers: int | None


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """What a daemon's disk is used for, in bytes.

    Attributes:
        cache: of build cache that no image shares.
        layers: of all images together.
        images: of each image by its id, without what others share.
    """

    cache: int
    layers: int
    images: dict[str, int]

    @property
    def total(self) -> int:
        """All of it."""
        return self.cache + self.layers


class Images:
    """The images of one daemon.

    An image is named by a reference or by its id. Every method raises BuildUserError `invalid-reference` for what
    is neither, `image-missing` for one the daemon doesn't have; BuildSystemError `daemon-unreachable`,
    `daemon-lost` and `disk-full`.
    """

    def __init__(self, api: DaemonApi) -> None:
        self._api = api

    async def inspect(self, image: str) -> ImageDescription:
        """Tell what the daemon knows of an image; its history is left empty."""
        told = await self._ask("GET", f"images/{image_name(image)}/json")
        return ImageDescription(
            id=told["Id"],
            tags=_names(told["RepoTags"]),
            digests=_names(told["RepoDigests"]),
            created=told.get("Created") or "",
            size=told["Size"],
            os=told["Os"],
            architecture=told["Architecture"],
            layers=tuple(told["RootFS"].get("Layers") or ()),
            author=told.get("Author") or "",
            comment=told.get("Comment") or "",
            config=told.get("Config") or {},
        )

    async def find(self, image: str) -> ImageDescription | None:
        """As `inspect`, but None for one that the daemon doesn't have."""
        try:
            return await self.inspect(image)
        except BuildUserError as error:
            if error.slug != "image-missing":
                raise
            return None

    async def exists(self, image: str) -> bool:
        """Tell whether the daemon has an image."""
        return await self.find(image) is not None

    async def history(self, image: str) -> list[HistoryEntry]:
        """Tell how an image came about, newest line first, as `docker history` does."""
        return [
            HistoryEntry(
                id=line["Id"],
                created=line["Created"],
                created_by=line["CreatedBy"],
                size=line["Size"],
                comment=line["Comment"],
                tags=tuple(line["Tags"] or ()),
            )
            for line in await self._ask("GET", f"images/{image_name(image)}/history")
        ]

    async def tag(self, image: str, name: str) -> None:
        """Give an image one more name."""
        new = reference(name)
        query = [("repo", new.name), ("tag", new.tag or "latest")]
        await self._ask("POST", f"images/{image_name(image)}/tag", query)

    async def untag(self, name: str) -> list[str]:
        """Take a name away; the image goes too if that was its last one. Returns what `remove` does."""
        return await self.remove(str(reference(name)))

    async def remove(self, image: str, *, force: bool = False) -> list[str]:
        """Remove a name, or an image by its id, as `docker rmi` does.

        Returns:
            The names taken away and the ids deleted (of the image and of the layers only it needed), in order.

        Raises:
            BuildUserError: a container or another name holds it, and `force` is not set (`image-in-use`).
        """
        path, query = f"images/{image_name(image)}", [("force", "1" if force else "0")]
        told = await self._ask("DELETE", path, query, limit=SLOW)
        return [name for line in told or () for name in line.values()]

    def save(self, images: Sequence[str]) -> AsyncGenerator[bytes, None]:
        """Stream an archive of images as `docker save` makes it. A reader that stops early closes the iterator.

        Engine 20.10 first puts the archive together in its own folder, and goes on with that (only) when cancelled.

        Raises (while iterating):
            BuildUserError: one of them is gone (`image-missing`; the message names it).
            BuildSystemError: the daemon ended the archive early (`archive-cut-short`).
        """
        return self._save([image_name(image) for image in images])

    async def _save(self, names: Sequence[str]) -> AsyncGenerator[bytes, None]:
        for name in names:
            await self.inspect(name)
        try:
            async with (
                self._api.request("GET", "images/get", query=[("names", name) for name in names]) as response,
                aclosing(whole_tar(response)) as chunks,
            ):
                async for chunk in chunks:
                    yield chunk
        except DockerError as error:
            raise refusals.of_image(error) from error

    async def load(self, chunks: AsyncIterator[bytes], sink: Sink) -> list[str]:
        """Load an archive that `save` made: all of its images, or none.

        Args:
            chunks: the archive, plain or gzip (also zstd on current engines).
            sink: takes Progress of the archive and of each layer.

        Returns:
            The names of the images in it, ids for those without a name.

        If cancelled, nothing of it stays, but for one case: engines before 28.0 can't be stopped once they have the
        whole archive, and what takes them over 10 s from then stays.

        Raises:
            BuildUserError: it is empty, truncated, or not an archive of images (`archive-invalid`).
        """
        return await loading.Load(self._api, chunks, sink).run()

    async def import_tar(
        self,
        chunks: AsyncIterator[bytes],
        *,
        reference: str | None = None,
        changes: Sequence[str] = (),
        message: str = "",
        platform: str | None = None,
        sink: Sink,
    ) -> str:
        """Make an image of a filesystem's tar and return its id. As in Docker it has no history but this.

        Raises:
            BuildUserError: the tar is empty or broken (`archive-invalid`), a change is not one that Docker takes
                (`change-refused`), or the platform (`platform-unsupported`).
        """
        options = {"changes": changes, "message": message, "platform": platform}
        image = await loading.import_tar(self._api, chunks, sink=sink, **options)  # type: ignore[arg-type]
        made = await self.inspect(image)
        if not is_for(platform, made.os, made.architecture):  # Engine 20.10 looks at the system only
            await sink(Warned(message=f"the image is for {made.os}/{made.architecture}: this engine makes no other"))
        if reference is not None:
            await self.tag(image, reference)
        return image

    async def pull(self, name: str, login: RegistryLogin | None, platform: str | None, sink: Sink) -> PulledImage:
        """Pull an image by its tag or digest; the sink takes Progress of each layer.

        Raises:
            BuildUserError: `image-unknown`, `registry-denied`, `platform-unsupported`.
            BuildSystemError: `registry-unreachable`, `registry-error`, `pull-stream-ended`.
        """
        return await pull(self._api, reference(name), login, platform, sink)

    async def prune(self, keep_bytes: int = 0, *, settling: int = SETTLING) -> int:
        """Remove build cache down to `keep_bytes`, and images without a name that are older than `settling` seconds.

        Returns:
            Bytes that came free.
        """
        cache = await self.prune_cache(keep_bytes)
        dangling = json.dumps({"dangling": ["true"], "until": [f"{settling}s"]})
        images = await self._ask("POST", "images/prune", [("filters", dangling)], limit=SLOW)
        return cache + int(images.get("SpaceReclaimed") or 0)

    async def prune_cache(self, keep_bytes: int) -> int:
        """Remove build cache down to `keep_bytes`, least recently used first, never what a running build uses.

        Returns:
            Bytes that came free.
        """
        await self._ask("GET", "version")
        keep = "reserved-space" if self._api.version >= _RESERVED_SPACE_SINCE else "keep-storage"
        pruned = await self._ask("POST", "build/prune", [(keep, str(keep_bytes))], limit=SLOW)
        return int(pruned.get("SpaceReclaimed") or 0)

    async def usage(self) -> DiskUsage:
        """Ask what the disk is used for; the daemon adds it up, which takes a while where there is much."""
        told = await self._ask("GET", "system/df", limit=SLOW)
        return DiskUsage(
            cache=sum(record["Size"] for record in told["BuildCache"] or () if not record["Shared"]),
            layers=told["LayersSize"],
            images={image["Id"]: image["Size"] - max(0, image["SharedSize"]) for image in told["Images"] or ()},
        )

    async def list(self) -> list[ImageSummary]:
        """Return all images but those that are only steps of others, newest first.

        With the containerd image store a daemon takes a hundredth of a second and more for each (Engine 28).
        """
        return [
            ImageSummary(
                id=told["Id"],
                tags=_names(told["RepoTags"]),
                digests=_names(told["RepoDigests"]),
                created=told["Created"],
                size=told["Size"],
                containers=told["Containers"] if told["Containers"] >= 0 else None,
            )
            for told in await self._ask("GET", "images/json", limit=LISTING)
        ]

    async def _ask(self, method: str, path: str, query: Pairs = (), *, limit: float = QUICK) -> Any:
        try:
            return await self._api.json(method, path, query=query, limit=limit)
        except DockerError as error:
            raise refusals.of_image(error) from error


def _names(told: Sequence[str] | None) -> tuple[str, ...]:
    """Engine 20.10 says null or `<none>:<none>` for no name."""
    return tuple(name for name in told or () if name not in _NO_NAME)
