"""Images and filesystems as archives: out of a daemon into the object store, and the other way round."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import zstandard

from shipway.exceptions import BuildUserError
from shipway.models.credentials import Credentials
from shipway.models.event import Progress
from shipway.models.job import Artifact
from shipway.models.spec import Compression, ExportSpec, ImportSpec, LoadSpec, SaveSpec
from workers.engine.throttle import Throttle
from workers.remote import download, plain
from workers.work.base import Work

SUFFIX = {Compression.NONE: ".tar", Compression.GZIP: ".tar.gz", Compression.ZSTD: ".tar.zst"}


class _Storing:
    """Streams an archive into the object store; a mix-in for the two kinds that make one."""

    async def store(self, work: Work[SaveSpec] | Work[ExportSpec], chunks: AsyncIterator[bytes], name: str) -> None:
        """Write the archive under the job's id and record it."""
        compression = work.spec.compression
        blob = f"{work.job.id}-{work.attempt}"
        size, digest, throttle = 0, hashlib.sha256(), Throttle()
        # First: should this worker die once the archive is written, it goes all the same when its time is over.
        await work.parts.blobs.keep(work.job.project, blob, work.parts.settings.retention)
        async with (
            work.phase(work.job.kind),
            work.parts.blobs.storing(work.job.project, blob) as writer,
            aclosing(_packed(chunks, compression)) as packed,
        ):
            async for chunk in packed:
                size += len(chunk)
                digest.update(chunk)
                await writer.write(chunk)
                report = Progress(id="archive", action="Storing", current=size)
                if throttle.passes(report):
                    await work.recorder(report)
        artifact = Artifact(
            blob=blob, name=name + SUFFIX[compression], bytes=size, digest=f"sha256:{digest.hexdigest()}"
        )
        await work.note(artifact=artifact.model_dump())


class Saving(Work[SaveSpec], _Storing):
    """One attempt at a save."""

    async def run(self) -> None:
        await self.store(self, self.parts.engine.images.save(self.spec.images), "images")


class Exporting(Work[ExportSpec], _Storing):
    """One attempt at an export."""

    async def run(self) -> None:
        containers, spec = self.parts.engine.containers, self.spec
        if spec.container is not None:
            if await containers.find(spec.container) is None:
                raise BuildUserError(f"this worker has no container {spec.container}", slug="container-unknown")
            await self.store(self, containers.export(spec.container), spec.container)
            return
        await self.have(spec.image or "", await self.credentials())
        container = await containers.create(spec.image or "", job=self.job.id, attempt=self.attempt)
        try:
            await self.store(self, containers.export(container), "filesystem")
        finally:
            await containers.remove(container)


class Loading(Work[LoadSpec]):
    """One attempt at a load."""

    async def run(self) -> None:
        async with self.phase("load"):
            chunks = plain(self.parts.blobs.read(self.job.project, self.spec.artifact))
            images = await self.parts.engine.images.load(chunks, self.recorder)
        await self.note(images=tuple(images))


class Importing(Work[ImportSpec]):
    """One attempt at an import."""

    async def run(self) -> None:
        credentials, spec = await self.credentials(), self.spec
        async with self.phase("import"):
            image = await self.parts.engine.images.import_tar(
                plain(self._chunks()),
                reference=None,
                changes=spec.changes,
                message=spec.message,
                platform=spec.platform,
                sink=self.recorder,
            )
        await self.note(image_id=image, built_on=self.parts.settings.worker_name)
        await self._name(image, credentials)

    def _chunks(self) -> AsyncIterator[bytes]:
        if self.spec.remote is not None:
            most = self.parts.settings.limits_of(self.job.project).max_artifact_bytes
            return _at_most(most, download(self.spec.remote, self.parts.egress))
        return self.parts.blobs.read(self.job.project, self.spec.artifact or "")

    async def _name(self, image: str, credentials: Credentials) -> None:
        await self.tag(image, self.spec.tags)
        if self.spec.push:
            await self.push(self.spec.tags, credentials)
        await self.note()


async def _at_most(most: int, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Hand on what comes; raises BuildUserError (`artifact-too-large`) when it is more than an upload may be."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise BuildUserError(f"an archive has at most {most} bytes", slug="artifact-too-large")
        yield chunk


async def _packed(chunks: AsyncIterator[bytes], compression: Compression) -> AsyncGenerator[bytes, None]:
    compress, flush = _packer(compression)
    async for chunk in chunks:
        packed = await asyncio.to_thread(compress, chunk) if compression is not Compression.NONE else chunk
        if packed:
            yield packed
    if rest := flush():
        yield rest


def _packer(compression: Compression) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    if compression is Compression.GZIP:
        gzip = zlib.compressobj(6, zlib.DEFLATED, 31)
        return gzip.compress, gzip.flush
    if compression is Compression.ZSTD:
        zstd = zstandard.ZstdCompressor(level=3).compressobj()
        return zstd.compress, zstd.flush
    return lambda chunk: chunk, lambda: b""
