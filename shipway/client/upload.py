"""What is sent as a context: a directory packed on the way, a tar passed on, or a lone Dockerfile."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shipway.context.dockerignore import dockerignore_for, read_patterns
from shipway.context.pack import tar_of_directory
from shipway.context.walk import LocalFile, walk
from shipway.exceptions import ClientError
from shipway.models.context import EntryType

CHUNK = 256 * 1024
"""Bytes sent at a time: each chunk crosses from the packing thread to the event loop once."""
DOCKERFILE = "Dockerfile"
MAX_DOCKERFILE = 16 * 2**20
"""Bytes that a Dockerfile on standard input may have; what is longer is no Dockerfile."""
_BLOCK = tarfile.BLOCKSIZE
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, slots=True)
class Upload:
    """A tar to send.

    Attributes:
        chunks: makes an iterator over the tar's bytes; it blocks, so it runs in a thread.
        total: bytes the tar will have as nearly as is known before, or None.
        replayable: whether `chunks` may be called again, for another try.
    """

    chunks: Callable[[], Iterable[bytes]]
    total: int | None
    replayable: bool


@dataclass(frozen=True, slots=True)
class DockerfileSource:
    """A Dockerfile that does not lie in the context it builds.

    `ignore` is the content of its own `<name>.dockerignore`, or None.
    """

    content: bytes
    name: str = DOCKERFILE
    ignore: bytes | None = None

    def upload(self) -> Upload:
        """A context that holds it and nothing else but its ignore file."""
        files = {self.name: self.content}
        if self.ignore is not None:
            files[f"{self.name}.dockerignore"] = self.ignore
        packed = _tar_of(files)
        return Upload(lambda: (packed,), len(packed), replayable=True)


def locate_dockerfile(root: Path, dockerfile: str | Path | None) -> tuple[str, DockerfileSource | None]:
    """Find the Dockerfile of a directory.

    Args:
        root: the context.
        dockerfile: path relative to the root, or absolute; None for `Dockerfile` (or `dockerfile`, as Docker does).

    Returns:
        its path inside the context, and None; or its name and its content when it lies outside.

    Raises:
        ClientError: `context-missing` or `dockerfile-missing`.
    """
    if not root.is_dir():
        raise ClientError(f"there is no directory {root}", slug="context-missing", field="context")
    path = root / (dockerfile or DOCKERFILE)
    if dockerfile is None and not path.exists() and (root / DOCKERFILE.lower()).is_file():
        path = root / DOCKERFILE.lower()
    if not path.is_file():
        raise ClientError(f"there is no Dockerfile at {path}", slug="dockerfile-missing", field="dockerfile")
    real, real_root = path.resolve(), root.resolve()
    if real.is_relative_to(real_root):
        return real.relative_to(real_root).as_posix(), None
    ignore = path.with_name(f"{path.name}.dockerignore")
    return path.name, DockerfileSource(_read(path), path.name, _read(ignore) if ignore.is_file() else None)


def directory_upload(root: Path, dockerfile: str, outside: DockerfileSource | None) -> Upload:
    """Walk a directory by Docker's ignore rules; it is read while it is sent. Blocks.

    Raises:
        ContextError: a file can't be read or can't be part of a context; an ignore pattern is bad.
    """
    if outside is not None and outside.ignore is not None:
        patterns, keep = read_patterns(outside.ignore), ()
    else:
        patterns, keep = dockerignore_for(root, dockerfile), () if outside else (dockerfile,)
    files = list(walk(root, patterns, keep))
    return Upload(lambda: tar_of_directory(files), _tar_size(files), replayable=True)


def stream_upload(stream: BinaryIO) -> tuple[Upload, DockerfileSource | None]:
    """Tell a tar (any compression) from a bare Dockerfile by its first bytes, as `docker build -` does. Blocks.

    Returns:
        the upload, and the Dockerfile if the stream was one.

    Raises:
        ClientError: `context-missing` when the stream is empty or neither of the two.
    """
    head = _read_up_to(stream, _BLOCK)
    if not head:
        raise ClientError("there is nothing on the stream that should hold the context", slug="context-missing")
    if _is_archive(head):
        return Upload(lambda: _continued(head, stream), None, replayable=False), None
    text = head + _read_up_to(stream, MAX_DOCKERFILE + 1)
    if b"\0" in text or len(text) > MAX_DOCKERFILE:
        raise ClientError("the stream holds neither a tar nor a Dockerfile", slug="context-invalid")
    lone = DockerfileSource(text)
    return lone.upload(), lone


def _is_archive(head: bytes) -> bool:
    if head.startswith(_COMPRESSED):
        return True
    try:
        tarfile.TarInfo.frombuf(head, tarfile.ENCODING, "surrogateescape")
    except tarfile.EOFHeaderError:
        return True  # zeros only: a tar without a member
    except tarfile.HeaderError:
        return False
    return True


def _continued(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield head
    while chunk := stream.read(CHUNK):
        yield chunk


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Read until `size` bytes or the end: one read from a pipe may give less than was asked for."""
    parts = bytearray()
    while len(parts) < size and (part := stream.read(size - len(parts))):
        parts += part
    return bytes(parts)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise ClientError(f"{path} can't be read: {fault.strerror}", slug="dockerfile-missing") from fault


def _tar_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _tar_size(files: Iterable[LocalFile]) -> int:
    """Headers and padded contents; PAX headers of unusual names are not counted."""
    total = 2 * _BLOCK
    for file in files:
        total += _BLOCK
        if file.type is EntryType.FILE:
            total += -(-file.size // _BLOCK) * _BLOCK
    return total
