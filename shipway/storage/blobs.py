"""Contexts in the object store: one folder per project, manifests by digest, blobs by name.

::

    projects/{project}/contexts/{hex digest}    a manifest, written last: it is there or it isn't
    projects/{project}/blobs/{name}             plain bytes that manifests point into
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Protocol, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url
from redis.asyncio import Redis

from shipway.exceptions import Unavailable
from shipway.models.context import Manifest
from shipway.storage import keys

WRITE_BUFFER = 8 * 2**20
WRITES_AT_ONCE = 3
"""Buffers on their way to the store; each is memory. obstore's own 12 of them made an upload cost 96 MiB."""
READ_CHUNK = 4 * 2**20


class Writer(Protocol):
    """Takes the bytes of one blob in order."""

    async def write(self, chunk: bytes) -> object: ...


class BlobStore:
    """Manifests and blobs of all projects, behind a `file://`, `s3://`, `gs://` or `az://` URL."""

    def __init__(self, url: str, redis: Redis) -> None:
        self._url = url
        self._redis = redis
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
            async with obstore.open_writer_async(
                self._store, _blob(project, blob), buffer_size=WRITE_BUFFER, max_concurrency=WRITES_AT_ONCE
            ) as writer:
                yield writer

    async def discard(self, project: str, blob: str) -> None:
        """Remove a blob; one that isn't there is no error."""
        with suppress(FileNotFoundError), _reading_store():
            await obstore.delete_async(self._store, _blob(project, blob))

    async def read(self, project: str, blob: str) -> AsyncIterator[bytes]:
        """Read a whole blob in chunks of a few MiB.

        Raises:
            FileNotFoundError: there is none.
            Unavailable: the store is out of reach.
        """
        with _reading_store():
            answer = await obstore.get_async(self._store, _blob(project, blob))
            async for chunk in answer.stream(min_chunk_size=READ_CHUNK):
                yield bytes(chunk)

    async def keep(self, project: str, blob: str, seconds: float) -> None:
        """Let a blob live for some seconds from now; the reaper removes it after that, unless it is kept again."""
        await self._redis.zadd(keys.EXPIRING, {_blob(project, blob): await self._now() + seconds})

    async def keep_context(self, project: str, digest: str, blobs: Iterable[str], seconds: float) -> None:
        """Let a context and the blobs it points into live for some seconds from now."""
        until = await self._now() + seconds
        paths = [_manifest(project, digest), *(_blob(project, blob) for blob in blobs)]
        await self._redis.zadd(keys.EXPIRING, dict.fromkeys(paths, until))

    async def expire(self, limit: int = 100) -> int:
        """Remove what nobody kept; returns how many objects went. A manifest goes before the blobs it points into."""
        due = cast(
            "list[str]",
            await self._redis.zrangebyscore(keys.EXPIRING, "-inf", await self._now(), start=0, num=limit),
        )
        for path in sorted(due, key=lambda p: "/blobs/" in p):
            with suppress(FileNotFoundError), _reading_store():
                await obstore.delete_async(self._store, path)
            await self._redis.zrem(keys.EXPIRING, path)
        return len(due)

    async def size(self, project: str, blob: str) -> int | None:
        """Bytes of a blob, or None when it isn't there."""
        with suppress(FileNotFoundError), _reading_store():
            return int((await obstore.head_async(self._store, _blob(project, blob)))["size"])
        return None

    async def _now(self) -> float:
        seconds, micros = await self._redis.time()
        return float(seconds) + float(micros) / 1e6

    async def save_manifest(self, project: str, manifest: Manifest) -> None:
        """Store a manifest under its digest."""
        raw = await asyncio.to_thread(manifest.to_bytes)
        with _reaching_store():
            await obstore.put_async(self._store, _manifest(project, manifest.digest), raw)

    async def has_manifest(self, project: str, digest: str) -> bool:
        """Whether a context of this digest is there."""
        with suppress(FileNotFoundError), _reading_store():
            await obstore.head_async(self._store, _manifest(project, digest))
            return True
        return False

    async def manifest(self, project: str, digest: str) -> Manifest | None:
        """Read a manifest, or None when there is none of this digest."""
        with suppress(FileNotFoundError), _reading_store():
            answer = await obstore.get_async(self._store, _manifest(project, digest))
            raw = bytes(await answer.bytes_async())
            return await asyncio.to_thread(Manifest.from_bytes, raw)
        return None


@contextmanager
def _reaching_store() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as fault:
        raise Unavailable(
            "The object store refuses writes just now (full, or out of reach); nothing was kept. Try again later.",
            slug="store-unavailable",
        ) from fault


@contextmanager
def _reading_store() -> Iterator[None]:
    """What isn't there is still told as FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as fault:
        raise Unavailable(
            "The object store is out of reach just now. Try again later.", slug="store-unavailable"
        ) from fault


def _blob(project: str, name: str) -> str:
    return f"projects/{project}/blobs/{name}"


def _manifest(project: str, digest: str) -> str:
    return f"projects/{project}/contexts/{digest.removeprefix('sha256:')}"
