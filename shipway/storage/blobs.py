"""Contexts in the object store: one folder per project, manifests by digest, blobs by name.

::

    projects/{project}/contexts/{hex digest}    a manifest, written last: it is there or it isn't
    projects/{project}/blobs/{name}             plain bytes that manifests point into
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from shipway.exceptions import Unavailable
from shipway.models.context import Manifest

WRITE_BUFFER = 8 * 2**20
READ_CHUNK = 4 * 2**20


class Writer(Protocol):
    """Takes the bytes of one blob in order."""

    async def write(self, chunk: bytes) -> object: ...


class BlobStore:
    """Manifests and blobs of all projects, behind a `file://`, `s3://`, `gs://` or `az://` URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: ObjectStore | None = None

    @property
    def _store(self) -> ObjectStore:
        if self._opened is None:
            split = urlsplit(self._url)
            if split.scheme == "file":
                os.makedirs(url2pathname(split.path), mode=0o700, exist_ok=True)  # noqa: PTH103
            self._opened = from_url(self._url)
        return self._opened

    def local_path(self, project: str, blob: str) -> str | None:
        """Where a blob lies on this machine's disk, or None when the store is elsewhere."""
        split = urlsplit(self._url)
        return os.path.join(url2pathname(split.path), _blob(project, blob)) if split.scheme == "file" else None  # noqa: PTH118

    @asynccontextmanager
    async def writing(self, project: str, blob: str) -> AsyncIterator[Writer]:
        """Write a blob in pieces; it exists only once the block ends without an error.

        Raises:
            Unavailable: the store refuses the bytes (full, or out of reach).
        """
        with _reaching_store():
            async with obstore.open_writer_async(self._store, _blob(project, blob), buffer_size=WRITE_BUFFER) as writer:
                yield writer

    async def discard(self, project: str, blob: str) -> None:
        """Remove a blob; one that isn't there is no error."""
        try:
            await obstore.delete_async(self._store, _blob(project, blob))
        except FileNotFoundError:
            return

    async def read(self, project: str, blob: str) -> AsyncIterator[bytes]:
        """Read a whole blob in chunks of a few MiB."""
        answer = await obstore.get_async(self._store, _blob(project, blob))
        async for chunk in answer.stream(min_chunk_size=READ_CHUNK):
            yield bytes(chunk)

    async def save_manifest(self, project: str, manifest: Manifest) -> None:
        """Store a manifest under its digest."""
        raw = await asyncio.to_thread(manifest.to_bytes)
        with _reaching_store():
            await obstore.put_async(self._store, _manifest(project, manifest.digest), raw)

    async def has_manifest(self, project: str, digest: str) -> bool:
        """Whether a context of this digest is there."""
        try:
            await obstore.head_async(self._store, _manifest(project, digest))
        except FileNotFoundError:
            return False
        return True

    async def manifest(self, project: str, digest: str) -> Manifest | None:
        """Read a manifest, or None when there is none of this digest."""
        try:
            answer = await obstore.get_async(self._store, _manifest(project, digest))
        except FileNotFoundError:
            return None
        raw = bytes(await answer.bytes_async())
        return await asyncio.to_thread(Manifest.from_bytes, raw)


@contextmanager
def _reaching_store() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as fault:
        raise Unavailable(
            "The object store refuses writes just now (full, or out of reach); nothing was kept. Try again later.",
            slug="store-unavailable",
        ) from fault


def _blob(project: str, name: str) -> str:
    return f"projects/{project}/blobs/{name}"


def _manifest(project: str, digest: str) -> str:
    return f"projects/{project}/contexts/{digest.removeprefix('sha256:')}"
