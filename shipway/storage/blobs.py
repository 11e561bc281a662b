"""Contexts in the object store: one folder per project, manifests by digest, blobs by name.

::

    projects/{project}/contexts/{hex digest}    a manifest, written last: it is there or it isn't
    projects/{project}/blobs/{name}             plain bytes that manifests point into, packs by their own names

What of it is there, and until when, stands in the ledger (`shipway.storage.ledger`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url
from redis.asyncio import Redis

from shipway.exceptions import TooLarge, Unavailable
from shipway.limits import ProjectLimits
from shipway.models.context import Manifest, Summary, read_summary
from shipway.storage.ledger import Ledger

WRITE_BUFFER = 8 * 2**20
WRITES_AT_ONCE = 3
"""Buffers on their way to the store; each is memory. obstore's own 12 of them made an upload cost 96 MiB."""
READ_CHUNK = 4 * 2**20
COUNTED = 64 * 2**20
"""Bytes after which a blob that is being written is counted anew."""
SUMMARY = 64 * 2**10
"""First bytes of a manifest, in which its summary mostly is: the names of 900 blobs."""
OUTLIVES = 3600.0
"""Seconds that blobs live longer than the manifests that point into them: a build may have begun just before."""
EXPIRED_AT_ONCE = 1000
REMOVED_AT_ONCE = 16


class Writer(Protocol):
    """Takes the bytes of one blob in order."""

    async def write(self, chunk: bytes) -> object: ...


class BlobStore:
    """Manifests and blobs of all projects, behind a `file://`, `s3://`, `gs://` or `az://` URL."""

    def __init__(self, url: str, redis: Redis, limits_of: Callable[[str], ProjectLimits], retention: float) -> None:
        self._url = url
        self._ledger = Ledger(redis, limits_of, retention)
        self._opened: ObjectStore | None = None

    @property
    def _store(self) -> ObjectStore:
        if self._opened is None:
            split = urlsplit(self._url)
            if split.scheme == "file":
                os.makedirs(url2pathname(split.path), mode=0o700, exist_ok=True)  # noqa: PTH103
            self._opened = from_url(self._url)
        return self._opened

    @property
    def is_local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return urlsplit(self._url).scheme == "file"

    def local_path(self, project: str, blob: str) -> str | None:
        """Where a blob lies on this machine's disk, or None when the store is elsewhere."""
        if not self.is_local:
            return None
        return os.path.join(url2pathname(urlsplit(self._url).path), _blob(project, blob))  # noqa: PTH118

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

    @asynccontextmanager
    async def storing(self, project: str, blob: str) -> AsyncIterator[Writer]:
        """Write a blob that counts as stored by its project.

        Its bytes count while they arrive, so that uploads at the same time see each other.

        Raises:
            TooLarge: the project stores as much as it may (`storage-full`).
            Unavailable: the store refuses the bytes (full, or out of reach).
        """
        path = _blob(project, blob)
        await self._ledger.hold({path: 0})
        try:
            async with self.writing(project, blob) as writer:
                counted = _Counted(writer, lambda size: self._ledger.count({path: size}))
                await counted.count()
                yield counted
                await counted.count()
        except BaseException:
            await asyncio.shield(self._ledger.forget(path))
            raise

    async def put(self, project: str, contents: Mapping[str, bytes]) -> None:
        """Write blobs whose names tell their contents; nothing is done of those that are there already.

        Raises:
            TooLarge: the project stores as much as it may (`storage-full`).
            Unavailable: the store refuses the bytes (full, or out of reach).
        """
        paths = {_blob(project, blob): content for blob, content in contents.items()}
        new = await self._ledger.hold({path: len(content) for path, content in paths.items()})
        if new:
            await self._write({path: paths[path] for path in new})

    async def _write(self, contents: Mapping[str, bytes]) -> None:
        with _reaching_store():
            await asyncio.gather(*(obstore.put_async(self._store, *item) for item in contents.items()))
        try:
            await self._ledger.count({path: len(content) for path, content in contents.items()})
        except TooLarge:
            await asyncio.shield(asyncio.gather(*map(self._remove, contents)))
            raise

    async def discard(self, project: str, blob: str) -> None:
        """Remove a blob; one that isn't there is no error."""
        await self._remove(_blob(project, blob))

    async def _remove(self, path: str) -> None:
        await self._ledger.lose(path)
        with suppress(FileNotFoundError), _reading_store():
            await obstore.delete_async(self._store, path)
        self._clear_away(path)
        await self._ledger.forget(path)

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

    async def read_part(self, project: str, blob: str, offset: int, size: int) -> bytes:
        """Read some bytes of a blob; fewer where it ends.

        Raises:
            FileNotFoundError: there is none.
            Unavailable: the store is out of reach.
        """
        with _reading_store():
            return bytes(await obstore.get_range_async(self._store, _blob(project, blob), start=offset, length=size))

    async def keep(self, project: str, blob: str, seconds: float) -> None:
        """Let a blob live for some seconds from now; the reaper removes it after that, unless it is kept again."""
        await self._ledger.date(_blob(project, blob), seconds)

    async def keep_blobs(self, project: str, blobs: Iterable[str], seconds: float) -> list[str]:
        """Let those of some blobs that are there live for some seconds from now; returns the others."""
        names = {_blob(project, blob): blob for blob in blobs}
        return [names[path] for path in await self._ledger.keep(list(names), seconds)]

    async def save_context(self, project: str, manifest: Manifest, seconds: float) -> list[str]:
        """Store a manifest for some seconds, unless some of its blobs are not there; returns those."""
        missing = await self.keep_blobs(project, manifest.summary.blobs, seconds + OUTLIVES)
        if not missing:
            path = _manifest(project, manifest.digest)
            raw = await asyncio.to_thread(manifest.to_bytes)
            await self._ledger.hold({path: len(raw)})
            await self._write({path: raw})  # even if there is one: its blobs may be gone
            await self._ledger.keep([path], seconds)
        return missing

    async def keep_context(self, project: str, digest: str, seconds: float) -> Summary | None:
        """Let a context and its blobs live for some seconds from now; None if there is none, or a blob is gone."""
        if await self._ledger.keep([_manifest(project, digest)], seconds):
            return None
        summary = await self._summary(project, digest)
        gone = summary is None or await self.keep_blobs(project, summary.blobs, seconds + OUTLIVES)
        return None if gone else summary

    async def expire(self, limit: int = EXPIRED_AT_ONCE) -> int:
        """Remove what nobody kept; returns how many objects went. A manifest goes before the blobs it points into."""
        due = await self._ledger.doom(limit)
        blobs = [path for path in due if "/blobs/" in path]
        for paths in ([path for path in due if "/blobs/" not in path], blobs):
            for start in range(0, len(paths), REMOVED_AT_ONCE):
                await asyncio.gather(*map(self._remove, paths[start : start + REMOVED_AT_ONCE]))
        return len(due)

    def _clear_away(self, path: str) -> None:
        """Remove what a killed process left of an object; a local store writes it beside its place (`path#1`)."""
        split = urlsplit(self._url)
        for number in count(1) if split.scheme == "file" else ():
            try:
                os.unlink(f"{os.path.join(url2pathname(split.path), path)}#{number}")  # noqa: PTH108, PTH118
            except FileNotFoundError:
                return

    async def size(self, project: str, blob: str) -> int | None:
        """Bytes of a blob, or None when it isn't there."""
        with suppress(FileNotFoundError), _reading_store():
            return int((await obstore.head_async(self._store, _blob(project, blob)))["size"])
        return None

    async def forget_context(self, project: str, digest: str, blobs: Iterable[str]) -> None:
        """Remove a manifest, and forget blobs that the store has lost: whoever needs them will send them again."""
        await self._remove(_manifest(project, digest))
        for blob in blobs:
            await self._ledger.forget(_blob(project, blob))

    async def _summary(self, project: str, digest: str) -> Summary | None:
        with suppress(FileNotFoundError), _reading_store():
            path = _manifest(project, digest)
            start = bytes(await obstore.get_range_async(self._store, path, start=0, length=SUMMARY))
            if (summary := read_summary(start)) is not None:
                return summary
            manifest = await self.manifest(project, digest)
            return manifest.summary if manifest else None
        return None

    async def manifest(self, project: str, digest: str) -> Manifest | None:
        """Read a manifest, or None when there is none of this digest."""
        with suppress(FileNotFoundError), _reading_store():
            answer = await obstore.get_async(self._store, _manifest(project, digest))
            raw = bytes(await answer.bytes_async())
            return await asyncio.to_thread(Manifest.from_bytes, raw, digest)
        return None


class _Counted:
    """Counts what is written."""

    def __init__(self, writer: Writer, tell: Callable[[int], Awaitable[None]]) -> None:
        self._writer = writer
        self._tell = tell
        self._size = 0
        self._told = 0

    async def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size - self._told > COUNTED:
            await self.count()
        await self._writer.write(chunk)

    async def count(self) -> None:
        self._told = self._size
        await self._tell(self._size)


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
