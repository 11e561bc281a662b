"""Gives work its files: contexts read where their manifests point, remote sources fetched for one job."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path

from shipway.context.contents import parts_of
from shipway.context.source import ContextSource
from shipway.egress import Egress
from shipway.exceptions import BuildSystemError
from shipway.limits import ProjectLimits
from shipway.models.context import Entry
from shipway.storage.blobs import BlobStore
from workers.blobcache import BlobCache
from workers.remote import Remote

CHUNK = 1 << 20
OPEN = 128
"""Files that are open at the same time: a context may lie in thousands of blobs."""


class Content:
    """Opens contexts. The blobs of a store that is elsewhere are fetched, whole, into the cache folder.

    Args:
        blobs: the store.
        cache: the folder.
        cache_bytes: bytes of blobs that may lie there.
        egress: where remote sources may be.
        limits_of: what a context of a project may hold (`context_limits`).
    """

    def __init__(
        self, blobs: BlobStore, cache: Path, cache_bytes: int, egress: Egress, limits_of: Callable[[str], ProjectLimits]
    ) -> None:
        self._blobs = blobs
        self._folder = cache
        self._cache = BlobCache(blobs, cache / "blobs", cache_bytes)
        self._egress = egress
        self._limits_of = limits_of
        self._open: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._scratch: Path | None = None

    async def source(self, project: str, digest: str) -> ContextSource:
        """Open an uploaded context for reading.

        Raises:
            BuildSystemError: the store doesn't have it, or some of it, any more (`context-gone`). The service will
                not take it for there any more either: sent again, it is whole.
        """
        manifest = await self._blobs.manifest(project, digest)
        if manifest is None:
            raise BuildSystemError(f"the context {digest} is gone from the store", slug="context-gone")
        try:
            await self._have(project, manifest.summary.blobs)
        except FileNotFoundError as fault:
            await self._blobs.forget_context(project, digest, [str(fault)])
            raise BuildSystemError("the files of the context are gone from the store", slug="context-gone") from fault
        return ContextSource(manifest, partial(self._read, project))

    def remote(self, project: str) -> Remote:
        """Fetches a project's sources from URLs into a folder that goes with `close`."""
        if self._scratch is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._scratch = Path(tempfile.mkdtemp(prefix="job-", dir=self._folder))
        return Remote(self._scratch, self._egress, self._limits_of(project).context_limits)

    def close(self) -> None:
        """Close every file and remove what was fetched for this job."""
        while self._open:
            os.close(self._open.popitem()[1])
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def _have(self, project: str, blobs: Iterable[str]) -> None:
        """See to it that blobs can be opened; raises FileNotFoundError with the name of one that can't."""
        if not self._blobs.is_local:
            await self._cache.have(project, blobs)
            return
        for blob in blobs:
            if not os.path.exists(self._path(project, blob)):  # noqa: ASYNC240, PTH110  (a thousand of them cost 2 ms)
                raise FileNotFoundError(blob)

    def _path(self, project: str, blob: str) -> str:
        return self._blobs.local_path(project, blob) or str(self._cache.path(project, blob))

    async def _read(self, project: str, entry: Entry) -> AsyncIterator[bytes]:
        if entry.parts:
            places = [(blob, 0, size) for blob, (_, size) in zip(entry.parts, parts_of(entry.size), strict=True)]
        else:
            places = [(entry.blob, entry.offset, entry.size)]
        for blob, offset, size in places:
            done = 0
            while done < size:
                # Asked for anew each time: others may have needed its place among the open files meanwhile.
                descriptor = self._opened(project, blob)
                if descriptor is None:
                    descriptor = await self._opened_again(project, blob)
                chunk = os.pread(descriptor, min(CHUNK, size - done), offset + done)
                if not chunk:
                    raise BuildSystemError(f"the content of {entry.path} ends early in the store", slug="context-gone")
                done += len(chunk)
                yield chunk

    def _opened(self, project: str, blob: str) -> int | None:
        """Open a blob, or take the one that is open; None if it isn't there."""
        key = (project, blob)
        descriptor = self._open.get(key)
        if descriptor is not None:
            self._open.move_to_end(key)
            return descriptor
        try:
            descriptor = self._open[key] = os.open(self._path(project, blob), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if len(self._open) > OPEN:
            os.close(self._open.popitem(last=False)[1])
        return descriptor

    async def _opened_again(self, project: str, blob: str) -> int:
        """Open a blob that another job's need for room has removed from the cache."""
        try:
            await self._have(project, [blob])
        except FileNotFoundError:
            descriptor = None
        else:
            descriptor = self._opened(project, blob)
        if descriptor is None:
            raise BuildSystemError("the files of the context are gone from the store", slug="context-gone")
        return descriptor
