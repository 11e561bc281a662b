"""Gives work its files: contexts read where their manifests point, remote sources fetched for one job."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from shipway.context.limits import Limits
from shipway.context.source import ContextSource
from shipway.egress import Egress
from shipway.exceptions import BuildSystemError
from shipway.models.context import Entry
from shipway.storage.blobs import BlobStore
from workers.remote import Remote

CHUNK = 1 << 20


class Content:
    """Opens contexts. A blob in a store that is elsewhere is fetched once, whole, into the cache folder."""

    def __init__(self, blobs: BlobStore, cache: Path, egress: Egress, limits: Limits) -> None:
        self._blobs = blobs
        self._cache = cache
        self._egress = egress
        self._limits = limits
        self._open: dict[str, int] = {}
        self._scratch: Path | None = None

    async def source(self, project: str, digest: str) -> ContextSource:
        """Open an uploaded context for reading.

        Raises:
            BuildSystemError: the store doesn't have it any more.
        """
        manifest = await self._blobs.manifest(project, digest)
        if manifest is None:
            raise BuildSystemError(f"the context {digest} is gone from the store", slug="context-gone")
        for blob in {entry.blob for entry in manifest if entry.blob}:
            await self._fetch(project, blob)
        return ContextSource(manifest, self._read)

    @property
    def remote(self) -> Remote:
        """Fetches sources from URLs into a folder that goes with `close`."""
        if self._scratch is None:
            self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._scratch = Path(tempfile.mkdtemp(prefix="job-", dir=self._cache))
        return Remote(self._scratch, self._egress, self._limits)

    def close(self) -> None:
        """Close every file and remove what was fetched for this job."""
        while self._open:
            os.close(self._open.popitem()[1])
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def _fetch(self, project: str, blob: str) -> None:
        if blob in self._open:
            return
        path = self._blobs.local_path(project, blob) or str(await self._cached(project, blob))
        try:
            self._open[blob] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as fault:
            raise BuildSystemError("the files of the context are gone from the store", slug="context-gone") from fault

    async def _cached(self, project: str, blob: str) -> Path:
        path = self._cache / project / blob
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial = path.with_suffix(f".{os.getpid()}")
            try:
                with partial.open("wb") as file:
                    async for chunk in self._blobs.read(project, blob):
                        file.write(chunk)
                partial.rename(path)
            finally:
                partial.unlink(missing_ok=True)
        return path

    async def _read(self, entry: Entry) -> AsyncIterator[bytes]:
        done = 0
        while done < entry.size:
            chunk = os.pread(self._open[entry.blob], min(CHUNK, entry.size - done), entry.offset + done)
            if not chunk:
                raise BuildSystemError(f"the content of {entry.path} ends early in the store", slug="context-gone")
            done += len(chunk)
            yield chunk
