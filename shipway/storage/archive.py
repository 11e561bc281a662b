"""The events of ended jobs in the object store: JSON lines, one event each, packed by zstd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import zstandard

from shipway.models.event import Event
from shipway.storage.blobs import BlobStore

LEVEL = 3


def _name(job_id: str) -> str:
    return f"events-{job_id}.jsonl.zst"


async def write(blobs: BlobStore, project: str, job_id: str, events: AsyncIterator[Event], seconds: float) -> None:
    """Archive all events of a job for some seconds.

    Raises:
        Unavailable: the store refuses them.
    """
    packer = zstandard.ZstdCompressor(level=LEVEL).compressobj()
    await blobs.keep(project, _name(job_id), seconds)
    async with blobs.writing(project, _name(job_id)) as writer:
        async for event in events:
            line = event.model_dump_json(exclude_none=True).encode() + b"\n"
            if packed := packer.compress(line):
                await writer.write(packed)
        await writer.write(packer.flush())


async def read(blobs: BlobStore, project: str, job_id: str, after: int) -> AsyncIterator[Event]:
    """Read the archived events of a job that come after a number; none when there is no archive."""
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    rest = b""
    try:
        async for chunk in blobs.read(project, _name(job_id)):
            *lines, rest = (rest + await asyncio.to_thread(unpacker.decompress, chunk)).split(b"\n")
            for line in lines:
                event = Event.model_validate_json(line)
                if event.seq > after:
                    yield event
    except FileNotFoundError:
        return
