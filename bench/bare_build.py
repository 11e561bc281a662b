"""A build asked of the daemon with nothing around it: what its own time before the first step is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

from shipway.context.limits import Limits
from shipway.context.pack import tar_of_directory
from shipway.context.source import ContextSource
from shipway.context.tarindex import TarIndexer
from shipway.context.walk import walk
from shipway.models.context import Entry
from shipway.models.credentials import Credentials
from shipway.models.event import EventBody, StepChanged
from shipway.models.spec import BuildSpec
from workers.engine import BuildSources, Engine


async def until_first_step(engine: Engine, root: Path, number: int) -> float:
    """Build a directory of small files under a label of its own; returns the seconds until the first step started."""
    started: list[float] = []

    async def sink(body: EventBody) -> None:
        if isinstance(body, StepChanged) and body.step.started:
            started.append(body.step.started)

    context = _source(root)
    spec = BuildSpec(context=context.manifest.digest, labels={"bare": str(number)})
    sources: asyncio.Future[BuildSources] = asyncio.get_running_loop().create_future()
    sources.set_result(BuildSources(context, None, {}))
    asked = time.time()
    await engine.build(spec, sources, Credentials(), sink, build_id=f"bare-{number}", shared_key="bare")
    return min(started) - asked


def _source(root: Path) -> ContextSource:
    tar, indexer = b"".join(tar_of_directory(walk(root, []))), TarIndexer(Limits(), "tar")
    indexer.feed(tar)

    async def read(entry: Entry) -> AsyncIterator[bytes]:
        yield tar[entry.offset : entry.offset + entry.size]

    return ContextSource(indexer.finish(), read)
