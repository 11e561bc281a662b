"""A build asked of the daemon with nothing around it: what its own time before the first step is."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from shipway.context.source import ContextSource
from shipway.context.walk import walk
from shipway.models.context import Entry, Manifest
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
    content = {file.path: Path(file.source).read_bytes() if file.size else b"" for file in walk(root, [])}

    async def read(entry: Entry) -> AsyncIterator[bytes]:
        yield content[entry.path]

    entries = [
        Entry(f.path, f.type, f.mode, f.size, f.stat.st_mtime_ns, f.link, _digest(content[f.path]) if f.size else "")
        for f in walk(root, [])
    ]
    return ContextSource(Manifest(entries), read)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
