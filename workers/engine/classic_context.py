"""What the classic builder gets as its context: one tar with the Dockerfile in it, ignored files left out.

BuildKit asks for patterns and gets the Dockerfile from another directory if need be. The classic builder can
neither: docker's own client filters and merges before it sends, and so do we.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from shipway.context.dockerignore import read_patterns
from shipway.context.select import select
from shipway.context.source import ContextSource
from shipway.exceptions import BuildUserError
from shipway.models.context import Entry, EntryType, Manifest
from workers.engine.contract import BuildSources

IGNORE = ".dockerignore"


@dataclass(frozen=True, slots=True)
class ClassicContext:
    """A context that holds its Dockerfile under the name `dockerfile`."""

    source: ContextSource
    dockerfile: str


async def classic_context(sources: BuildSources, dockerfile: str) -> ClassicContext:
    """Make the context that the classic builder is sent.

    Raises:
        BuildUserError: there is no such Dockerfile (`dockerfile-missing`).
    """
    script = sources.of_dockerfile.manifest.get(dockerfile)
    if script is None or script.type is EntryType.DIR:
        raise BuildUserError(f"there is no {dockerfile} in the context", slug="dockerfile-missing")
    source, ignored = sources.context, await sources.context.content(IGNORE)
    if sources.dockerfile is not None:
        source, dockerfile = await _merged(sources.context, sources.dockerfile, dockerfile, ignored)
    patterns = read_patterns(ignored) if ignored else []
    if patterns:
        # The daemon needs these two even if they are ignored; it takes them away itself before the first step.
        kept = [*patterns, f"!{IGNORE}", f"!{dockerfile}"]
        wanted = select(source.manifest, include_patterns=[], exclude_patterns=kept, follow_paths=[])
        source = ContextSource(Manifest(wanted), source.read)
    return ClassicContext(source, dockerfile)


async def _merged(
    context: ContextSource, outside: ContextSource, dockerfile: str, ignored: bytes
) -> tuple[ContextSource, str]:
    """Put a Dockerfile from outside into the context, under a name that no COPY will see.

    docker's client draws a random name. One drawn from the content keeps `COPY .` of the changed .dockerignore
    cached while the Dockerfile stays the same.
    """
    script = await outside.content(dockerfile)
    name = f".dockerfile.{hashlib.sha256(script).hexdigest()[:20]}"
    return with_files(context, {name: script, IGNORE: (ignored or IGNORE.encode()) + f"\n{name}\n".encode()}), name


def with_files(source: ContextSource, files: Mapping[str, bytes]) -> ContextSource:
    """Return the same context with some files added or replaced."""
    added = [
        Entry(path, EntryType.FILE, 0o600, len(content), 0, digest=f"sha256:{hashlib.sha256(content).hexdigest()}")
        for path, content in files.items()
    ]

    async def read(entry: Entry) -> AsyncIterator[bytes]:
        if entry.path in files:
            yield files[entry.path]
            return
        async for chunk in source.read(entry):
            yield chunk

    return ContextSource(Manifest([*source.manifest, *added]), read)
