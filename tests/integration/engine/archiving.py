"""Archives for tests: made in memory, streamed in pieces, taken apart."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator, Mapping
from typing import Any


async def pieces(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    """Stream bytes in pieces."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    """Read a stream to its end."""
    return b"".join([chunk async for chunk in chunks])


def tar(files: Mapping[str, bytes]) -> bytes:
    """Make a tar of files; a name that ends with a slash is a directory."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            entry.mode = 0o755 if name.endswith("/") else 0o644
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()


def files_in(archive: bytes) -> dict[str, bytes]:
    """Return the regular files of a tar."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        members = [member for member in opened if member.isfile()]
        return {member.name: _content(opened, member) for member in members}


def manifest_of(archive: bytes) -> list[dict[str, Any]]:
    """Return what an archive of images says it holds."""
    manifest: list[dict[str, Any]] = json.loads(files_in(archive)["manifest.json"])
    return manifest


def _content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = opened.extractfile(member)
    assert stream is not None
    return stream.read()
