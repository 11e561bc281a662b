"""Bytes on their way to the service and from it: counted, and taken for good only once they are whole."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO

from shipway.client.ground import Answer, Ground
from shipway.client.upload import CHUNK, Upload
from shipway.exceptions import ClientError

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes moved so far and the bytes in all, if known."""
OnSpared = Callable[[int], None]
"""Called with the bytes of content that need not be sent, once that is known."""


async def counted(ground: Ground, upload: Upload, on_progress: OnProgress | None) -> AsyncGenerator[bytes, None]:
    """Yield what is to be sent, and tell how far it is."""
    sent, total = 0, upload.total
    async with aclosing(ground.iterate(upload.chunks)) as chunks:
        async for chunk in chunks:
            yield chunk
            sent += len(chunk)
            if on_progress is not None:
                on_progress(sent, total)


def archive_upload(source: str | Path | BinaryIO) -> Upload:
    """An archive to send as it is: a file, which may be sent again, or an open stream, which may not.

    Raises:
        ClientError: `archive-missing`.
    """
    if not isinstance(source, str | Path):
        return Upload(lambda: _read(source), None, replayable=False)
    path = Path(source)
    try:
        status = path.stat()
        path.open("rb").close()
    except OSError as fault:
        raise ClientError(f"{path} can't be read: {fault.strerror}", slug="archive-missing", field="archive") from fault
    regular = stat.S_ISREG(status.st_mode)
    return Upload(lambda: _read_file(path), status.st_size if regular else None, replayable=regular)


def _read_file(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        yield from _read(file)


def _read(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well; else nothing of it stays.

    What is no regular file (`/dev/null`, a named pipe) is written to as it is.

    Raises:
        ClientError: `output-unwritable`.
    """
    import tempfile  # noqa: PLC0415  (a build needs none)

    path = Path(os.path.realpath(path))
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as special:
                yield special
            return
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as fault:
        raise ClientError(f"{path} can't be written: {fault.strerror}", slug="output-unwritable") from fault


async def received(answer: Answer, out: BinaryIO, on_progress: OnProgress | None) -> str:
    """Write an answer's body as it comes; returns its digest, which is the one that the service told before.

    Raises:
        ClientError: the connection broke (`service-unreachable`); the bytes are not those that the service stored
            (`archive-damaged`), or can't be written (`output-unwritable`).
    """
    digest, length = hashlib.sha256(), answer.headers.get("content-length")
    took, total = 0, int(length) if length and length.isdecimal() else None
    async for chunk in answer.chunks:
        try:
            out.write(chunk)
        except OSError as fault:
            raise ClientError(f"the archive can't be written: {fault.strerror}", slug="output-unwritable") from fault
        digest.update(chunk)
        took += len(chunk)
        if on_progress is not None:
            on_progress(took, total)
    found, told = f"sha256:{digest.hexdigest()}", answer.headers.get("digest", "")
    if (total is not None and took != total) or found != told:
        raise ClientError(
            f"the archive came as {took} bytes of {found}, but the service has {total} bytes of {told or 'no digest'}",
            slug="archive-damaged",
        )
    return found
