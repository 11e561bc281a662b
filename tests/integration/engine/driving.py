"""Contexts made in memory, and a sink that remembers: what tests need to drive an engine."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shipway.context.source import ContextSource
from shipway.models.context import Entry, EntryType, Manifest
from shipway.models.credentials import Credentials
from shipway.models.event import EventBody, LogChunk, Progress, Step, StepChanged, Warned
from shipway.models.spec import BuildSpec
from workers.engine import BuildOutcome, BuildSources, Engine

NO_CONTEXT = "sha256:" + "0" * 64
MTIME = 1_700_000_000 * 10**9


def file(path: str, content: bytes, mode: int = 0o644, mtime_ns: int = MTIME) -> Entry:
    """Describe a file as an indexed upload does."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Entry(path, EntryType.FILE, mode, len(content), mtime_ns, digest=digest)


def memory_context(files: Mapping[str, bytes], *others: Entry, modes: Mapping[str, int] | None = None) -> ContextSource:
    """Make a context of files in memory, and other entries as they are."""
    entries = [file(path, content, (modes or {}).get(path, 0o644)) for path, content in files.items()]

    async def read(entry: Entry) -> AsyncIterator[bytes]:
        yield files[entry.path]

    return ContextSource(Manifest([*entries, *others]), read)


@dataclass
class Recorder:
    """A sink that keeps every event."""

    events: list[EventBody] = field(default_factory=list)

    async def __call__(self, body: EventBody) -> None:
        self.events.append(body)

    @property
    def steps(self) -> dict[int, Step]:
        """The last event about each step."""
        return {body.step.number: body.step for body in self.events if isinstance(body, StepChanged)}

    @property
    def log(self) -> str:
        return "".join(body.text for body in self.events if isinstance(body, LogChunk))

    @property
    def progress(self) -> list[Progress]:
        return [body for body in self.events if isinstance(body, Progress)]

    @property
    def warnings(self) -> list[Warned]:
        return [body for body in self.events if isinstance(body, Warned)]

    def running(self, word: str) -> bool:
        """Whether the last event about a step with `word` in its name says that it runs."""
        return any(step.status == "running" and word in step.name for step in self.steps.values())


async def build(
    engine: Engine,
    files: Mapping[str, bytes] | ContextSource,
    *,
    sink: Recorder | None = None,
    outside: ContextSource | None = None,
    credentials: Credentials | None = None,
    shared_key: str | None = None,
    **spec: Any,
) -> BuildOutcome:
    """Build with an engine; `outside` is a context of its own for the Dockerfile."""
    context = files if isinstance(files, ContextSource) else memory_context(files)
    sources = asyncio.get_running_loop().create_future()
    sources.set_result(BuildSources(context, outside))
    return await engine.build(
        BuildSpec(context=NO_CONTEXT, **spec),
        sources,
        credentials or Credentials(),
        sink or Recorder(),
        build_id=uuid.uuid4().hex,
        shared_key=shared_key or uuid.uuid4().hex,
    )


def script(*lines: str) -> dict[str, bytes]:
    """Make a context of nothing but a Dockerfile."""
    return {"Dockerfile": "\n".join(lines).encode() + b"\n"}


def once() -> str:
    """Return a word that no earlier build had, so that a step with it is not cached."""
    return uuid.uuid4().hex


async def image(engine: Engine, name: str | None = None, *lines: str) -> str:
    """Make an image that no other test has; return its id."""
    outcome = await build(engine, script("FROM base", *lines, f"RUN echo {once()} > /tmp/new"), builder="classic")
    if name is not None:
        await engine.images.tag(outcome.image_id, name)
    return outcome.image_id
