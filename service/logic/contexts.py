"""Takes an uploaded tar apart while it streams by: limits, index, blob. Nothing is unpacked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from ulid import ULID

from service import metrics
from service.logic import audit
from service.process import Process
from shipway.context.decompress import Decompressor
from shipway.context.tarindex import TarIndexer
from shipway.models.context import Manifest
from shipway.models.receipt import ContextReceipt
from shipway.models.token import Caller
from shipway.storage.redis import reaching_redis

GATHER = 512 * 1024
"""Bytes gathered before a thread is asked to work on them."""


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
    limits = process.settings.context_limits
    blob = str(ULID())
    decompressor, indexer = Decompressor(limits), TarIndexer(limits, blob)
    async with process.blobs.storing(caller.project, blob) as writer:
        async for chunk in gathered(body):
            pieces = decompressor.feed(chunk)
            while (piece := await asyncio.to_thread(_next, pieces, indexer)) is not None:
                await writer.write(piece)
        pieces = decompressor.finish()
        while (piece := await asyncio.to_thread(_next, pieces, indexer)) is not None:
            await writer.write(piece)
        manifest = await asyncio.to_thread(indexer.finish)
    metrics.CONTEXT_BYTES.inc(decompressor.taken)
    receipt = await _keep(process, caller.project, blob, manifest)
    await audit.note(process, caller, "context.send", receipt.digest)
    return receipt


async def _keep(process: Process, project: str, blob: str, manifest: Manifest) -> ContextReceipt:
    blobs, retention = process.blobs, process.settings.retention
    kept = False
    try:
        async with reaching_redis():
            if (before := await blobs.manifest(project, manifest.digest)) is not None:
                theirs = {entry.blob for entry in before if entry.blob}
                await blobs.keep_context(project, manifest.digest, theirs, retention)
            else:
                await blobs.keep_context(project, manifest.digest, [blob], retention)
                await blobs.save_manifest(project, manifest)
                kept = True
    finally:
        if not kept:
            await blobs.discard(project, blob)
    return ContextReceipt(digest=manifest.digest, entries=len(manifest), bytes=manifest.size)


def _next(pieces: Iterator[bytes], indexer: TarIndexer) -> bytes | None:
    piece = next(pieces, None)
    if piece is not None:
        indexer.feed(piece)
    return piece


async def gathered(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a request's body in larger chunks."""
    held = bytearray()
    async for chunk in body:
        held += chunk
        if len(held) >= GATHER:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
