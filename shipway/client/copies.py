"""Local files that a commit copies into its container: one context made of them all."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from shipway.client.upload import Upload
from shipway.context.pack import tar_of_directory
from shipway.context.walk import LocalFile, walk
from shipway.exceptions import ClientError
from shipway.models.context import EntryType

Copies = Sequence[tuple[str | Path, str]]
"""Pairs of a local file or directory and a path in the container, as a Dockerfile's COPY reads them."""


def copies_upload(copies: Copies) -> tuple[Upload, tuple[tuple[str, str], ...]]:
    """Return the context to send, and the copies with paths inside it. Blocks.

    Each source lies in a folder of its own, named by its number: two may have the same name.

    Raises:
        ClientError: there is no such file (`copy-source-missing`).
        ContextError: a file can't be read or can't be sent.
    """
    files: list[LocalFile] = []
    inside: list[tuple[str, str]] = []
    for number, (source, destination) in enumerate(copies):
        path = f"{number}/{Path(source).resolve().name}"
        files += _under(Path(source), path)
        inside.append((path, destination))
    return Upload(lambda: tar_of_directory(files), None, replayable=True), tuple(inside)


def _under(source: Path, path: str) -> Iterator[LocalFile]:
    """The files of one source, with `path` in place of its own name. A link that is named is followed, as by COPY."""
    real = source.resolve()
    try:
        status = real.stat()
    except OSError as fault:
        raise ClientError(
            f"{source} can't be read: {fault.strerror}", slug="copy-source-missing", field="copies"
        ) from fault
    if stat.S_ISDIR(status.st_mode):
        yield LocalFile(path, str(real), EntryType.DIR, status)
        for file in walk(real, ()):
            yield file._replace(path=f"{path}/{file.path}")
        return
    if not stat.S_ISREG(status.st_mode):
        raise ClientError(f"{source} is neither a file nor a directory", slug="copy-source-missing", field="copies")
    yield LocalFile(path, str(real), EntryType.FILE, status)
