"""Takes uploaded contexts while they stream by: limits, index, blobs. Nothing is unpacked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from ulid import ULID

from service import metrics
from service.logic import audit
from service.process import Process
from shipway.context.decompress import Decompressor
from shipway.context.limits import MIB
from shipway.context.listing import ListingReader
from shipway.context.packreader import PackReader
from shipway.context.packs import Pack
from shipway.context.tarindex import TarIndexer
from shipway.exceptions import Conflict, ContextError
from shipway.models.context import Manifest, Summary
from shipway.models.receipt import ContextReceipt, Missing, Wanted
from shipway.models.token import Caller
from shipway.storage.ledger import UNFINISHED
from shipway.storage.redis import reaching_redis

GATHER = 512 * 1024
"""Bytes gathered before a thread is asked to work on them."""
AT_ONCE = 4 * MIB
"""Bytes of packs that are stored at once: each time takes two calls to Redis."""
MOST_AT_ONCE = 256
"""Packs that are, however small: the calls name each, and Redis does nothing else meanwhile."""


async def ingest(process: Process, caller: Caller, body: AsyncIterator[bytes]) -> ContextReceipt:
    """Index an uploaded tar into a manifest and a blob.

    Args:
        process: where the parts are.
        caller: whose project the context belongs to.
        body: the tar, plain or compressed by gzip, bzip2, xz or zstd, in chunks of any size.

    Raises:
        ContextError: it is not a tar, or holds what no context may hold.
        TooLarge: it passes a limit.
    """
    limits = process.settings.limits_of(caller.project).context_limits
    blob = str(ULID())
    decompressor, indexer = Decompressor(limits), TarIndexer(limits, blob)
    async with process.blobs.storing(caller.project, blob) as writer:
        async for piece in _plain(decompressor, body, indexer.feed):
            await writer.write(piece)
        manifest = await asyncio.to_thread(_finished, indexer)
    metrics.CONTEXT_BYTES.inc(decompressor.taken)
    receipt = await _keep(process, caller.project, blob, manifest)
    await audit.note(process, caller, "context.send", receipt.digest)
    return receipt


async def missing(process: Process, caller: Caller, wanted: Wanted) -> Missing:
    """Tell a client what it has to send: nothing if the context is there, else the packs that are not.

    What is there is kept until the client has had time to send the rest.
    """
    blobs, context = process.blobs, wanted.context
    async with reaching_redis():
        if context and (there := await blobs.keep_context(caller.project, context, process.settings.retention)):
            return Missing(context=_receipt(context, there), packs=[])
        return Missing(context=None, packs=await blobs.keep_blobs(caller.project, wanted.packs, UNFINISHED))


async def take_packs(process: Process, caller: Caller, body: AsyncIterator[bytes]) -> None:
    """Store packs as they come, some at a time; those that came whole stay, should the connection break.

    Raises:
        ContextError: one is no pack, or not what its list says.
        TooLarge: the project stores as much as it may.
    """
    reader, found = PackReader(), _Found(process, caller.project)
    try:
        async for chunk in gathered(body):
            metrics.CONTEXT_BYTES.inc(len(chunk))
            packs = reader.feed(chunk)
            while await asyncio.to_thread(found.enough, packs):
                await found.store()
    finally:
        await found.finish()
    reader.finish()


class _Found:
    """Packs on their way to the store: some at a time, while the next ones come."""

    def __init__(self, process: Process, project: str) -> None:
        self._process = process
        self._project = project
        self._packs: dict[str, bytes] = {}
        self._size = 0
        self._storing: asyncio.Task[None] | None = None

    def enough(self, packs: Iterator[tuple[Pack, memoryview]]) -> bool:
        """Take packs until they are worth a call to the store: a small chunk may unpack to many large ones."""
        for pack, content in packs:
            self._packs[pack.name] = bytes(content)
            self._size += len(content)
            if self._size >= AT_ONCE or len(self._packs) >= MOST_AT_ONCE:
                return True
        return False

    async def store(self) -> None:
        """Begin to store what was taken, once what was taken before is stored."""
        if self._storing is not None:
            await self._storing
        packs, self._packs, self._size = self._packs, {}, 0
        self._storing = asyncio.create_task(self._store(packs)) if packs else None

    async def finish(self) -> None:
        """Store what is left, and wait for it."""
        await self.store()
        if self._storing is not None:
            await self._storing

    async def _store(self, packs: dict[str, bytes]) -> None:
        async with reaching_redis(limit=None):  # the store may take its time
            await self._process.blobs.put(self._project, packs)


async def commit(
    process: Process, caller: Caller, digest: str, base: str | None, body: AsyncIterator[bytes]
) -> ContextReceipt:
    """Make a context of packs that are there and a listing of what is in them, or of what is not as it was.

    Args:
        process: where the parts are.
        caller: whose project the context belongs to.
        digest: what the client expects the context's digest to be.
        base: the digest of the context that the listing changes.
        body: the listing, plain or compressed.

    Raises:
        ContextError: it is no listing, holds what no context may hold, or has another digest.
        TooLarge: it passes a limit.
        Conflict: packs that it speaks of are not there (`context-packs-missing`), or the base is not
            (`context-base-missing`).
    """
    limits = process.settings.limits_of(caller.project).context_limits
    before = await _base(process, caller.project, base) if base else None
    if base and before is None:
        raise Conflict(
            "the context that the listing changes is not there; send a whole listing", slug="context-base-missing"
        )
    decompressor, reader = Decompressor(limits), await asyncio.to_thread(ListingReader, limits, before)
    async for _ in _plain(decompressor, body, reader.feed):
        pass
    manifest = await asyncio.to_thread(_finished, reader)
    metrics.CONTEXT_BYTES.inc(decompressor.taken)
    if manifest.digest != digest:
        raise ContextError(
            f"the listing is that of the context {manifest.digest}, not {digest[:100]}", slug="context-digest-mismatch"
        )
    async with reaching_redis(limit=None):
        lacking = await process.blobs.save_context(caller.project, manifest, process.settings.retention)
    if lacking:
        raise Conflict(
            f"{len(lacking)} packs of the context are not there; ask which ones, and send them",
            slug="context-packs-missing",
        )
    process.recent.put(caller.project, manifest)
    await audit.note(process, caller, "context.send", digest)
    return _receipt(digest, manifest.summary)


async def _base(process: Process, project: str, digest: str) -> Manifest | None:
    return process.recent.get(project, digest) or await process.blobs.manifest(project, digest)


async def _keep(process: Process, project: str, blob: str, manifest: Manifest) -> ContextReceipt:
    """Keep what a tar came to, or what was there before if that is the same."""
    blobs, retention = process.blobs, process.settings.retention
    kept = False
    try:
        async with reaching_redis():
            if not await blobs.keep_context(project, manifest.digest, retention):
                kept = not await blobs.save_context(project, manifest, retention)
    finally:
        if not kept:
            await blobs.discard(project, blob)
    return _receipt(manifest.digest, manifest.summary)


def _receipt(digest: str, summary: Summary) -> ContextReceipt:
    return ContextReceipt(digest=digest, entries=summary.entries, bytes=summary.size)


def _finished(reader: TarIndexer | ListingReader) -> Manifest:
    """Finish, and compute what takes a while off the event loop."""
    manifest = reader.finish()
    _ = manifest.digest, manifest.summary
    return manifest


async def _plain(
    decompressor: Decompressor, body: AsyncIterator[bytes], read: Callable[[bytes], None]
) -> AsyncIterator[bytes]:
    """Decompress a body, and have its pieces read, off the event loop."""

    def following(pieces: Iterator[bytes]) -> bytes | None:
        piece = next(pieces, None)
        if piece is not None:
            read(piece)
        return piece

    async for chunk in gathered(body):
        pieces = decompressor.feed(chunk)
        while (piece := await asyncio.to_thread(following, pieces)) is not None:
            yield piece
    pieces = decompressor.finish()
    while (piece := await asyncio.to_thread(following, pieces)) is not None:
        yield piece


async def gathered(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a request's body in larger chunks."""
    held: list[bytes] = []
    size = 0
    async for chunk in body:
        held.append(chunk)
        size += len(chunk)
        if size >= GATHER:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)
