"""What is sent as a context: a directory packed on the way, a tar passed on, or a lone Dockerfile."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from shipway.client.statcache import StatCache, Tree
from shipway.context.dockerignore import read_patterns
from shipway.context.pack import tar_of_directory
from shipway.context.tarmember import BLOCK
from shipway.context.walk import LocalFile, dockerignore_for, walk
from shipway.exceptions import ClientError

CHUNK = 256 * 1024
"""Bytes sent at a time: each chunk crosses from the packing thread to the event loop once."""
DOCKERFILE = "Dockerfile"
MAX_DOCKERFILE = 16 * 2**20
"""Bytes that a Dockerfile on standard input may have; what is longer is no Dockerfile."""
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


class Upload(NamedTuple):
    """A tar to send.

    Attributes:
        chunks: makes an iterator over the tar's bytes; it blocks, so it runs in a thread.
        length: bytes of the tar, where that is known without looking at a tree.
        replayable: whether `chunks` may be called again, for another try.
        tree: the directory whose tar it is, if that may be sent in another way.
    """

    chunks: Callable[[], Iterable[bytes]]
    length: int | None
    replayable: bool
    tree: Tree | None = None

    @property
    def total(self) -> int | None:
        """Bytes the tar will have as nearly as is known before, or None."""
        return self.length if self.tree is None else _tar_size(self.tree.files)


class DockerfileSource(NamedTuple):
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


Context = str | Path | BinaryIO
"""A directory, or an open binary stream that holds a tar (any compression) or a lone Dockerfile."""
Dockerfile = str | Path | DockerfileSource
"""A path relative to the context, or absolute; or a Dockerfile from elsewhere."""


class LocalContext(NamedTuple):
    """All that a build sends.

    Attributes:
        upload: the context.
        dockerfile: path of the Dockerfile, in the context or in the one made of `outside`.
        outside: the Dockerfile, if it does not lie in the context.
        text: the Dockerfile's content, or None when it lies inside a tar.
    """

    upload: Upload
    dockerfile: str
    outside: DockerfileSource | None = None
    text: bytes | None = None


def prepare(context: Context, dockerfile: Dockerfile | None = None) -> LocalContext:
    """Look at a context: find its Dockerfile, walk a directory, tell a tar from a Dockerfile. Blocks.

    Args:
        context: a directory, or an open binary stream that holds a tar (any compression) or a lone Dockerfile.
        dockerfile: path relative to the context, or absolute, or a Dockerfile from elsewhere; by default
            `Dockerfile` (or `dockerfile`, as Docker does).

    Raises:
        ClientError: `context-missing`, `context-invalid`, `dockerfile-missing`, `dockerfile-ambiguous`.
        ContextError: a file can't be read or can't be part of a context; an ignore pattern is bad.
    """
    if isinstance(context, str | Path):
        return _prepare_directory(Path(context), dockerfile)
    return _prepare_stream(context, dockerfile)


def prepare_named(source: str, name: str) -> Upload:
    """Look at a directory that a build knows by a name of its own; its `.dockerignore` counts. Blocks.

    Raises:
        ClientError: there is no such directory (`context-missing`).
        ContextError: as `prepare`.
    """
    root = Path(source)
    if not root.is_dir():
        raise ClientError(
            f"there is no directory {root}; a further context is a directory, a URL or docker-image://NAME",
            slug="context-missing",
            field=f"build_contexts.{name}",
        )
    return _packed(root, dockerignore_for(root, ""))


def _prepare_directory(root: Path, dockerfile: Dockerfile | None) -> LocalContext:
    if not root.is_dir():
        raise ClientError(f"there is no directory {root}", slug="context-missing", field="context")
    if isinstance(dockerfile, DockerfileSource):
        found: tuple[str, DockerfileSource | None, bytes] = (dockerfile.name, dockerfile, dockerfile.content)
    else:
        found = _locate(root, dockerfile)
    name, outside, text = found
    return LocalContext(_directory_upload(root, name, outside), name, outside, text)


def _locate(root: Path, dockerfile: str | Path | None) -> tuple[str, DockerfileSource | None, bytes]:
    path = root / (dockerfile or DOCKERFILE)
    if dockerfile is None and not path.exists() and (root / DOCKERFILE.lower()).is_file():
        path = root / DOCKERFILE.lower()
    if not path.is_file():
        raise ClientError(f"there is no Dockerfile at {path}", slug="dockerfile-missing", field="dockerfile")
    text = _read(path)
    real, real_root = path.resolve(), root.resolve()
    if real.is_relative_to(real_root):
        return real.relative_to(real_root).as_posix(), None, text
    ignore = path.with_name(f"{path.name}.dockerignore")
    return path.name, DockerfileSource(text, path.name, _read(ignore) if ignore.is_file() else None), text


def _directory_upload(root: Path, dockerfile: str, outside: DockerfileSource | None) -> Upload:
    keep = () if outside else (dockerfile, f"{dockerfile}.dockerignore")
    if outside is not None and outside.ignore is not None:
        patterns = read_patterns(outside.ignore)
    else:
        patterns = dockerignore_for(root, "" if outside else dockerfile)
    return _packed(root, patterns, keep)


def _packed(root: Path, patterns: Iterable[str], keep: Iterable[str] = ()) -> Upload:
    patterns, keep = list(patterns), list(keep)
    files = tuple(walk(root, patterns, keep))
    tree = Tree(files, StatCache(root, [*patterns, "", *keep]))
    return Upload(lambda: tar_of_directory(files), None, replayable=True, tree=tree)


def _prepare_stream(stream: BinaryIO, dockerfile: Dockerfile | None) -> LocalContext:
    """Tell a tar (any compression) from a bare Dockerfile by its first bytes, as `docker build -` does."""
    head = _read_up_to(stream, BLOCK)
    if not head:
        raise ClientError("there is nothing on the stream that should hold the context", slug="context-missing")
    if _is_archive(head):
        upload = Upload(lambda: _continued(head, stream), None, replayable=False)
        if isinstance(dockerfile, DockerfileSource):
            return LocalContext(upload, dockerfile.name, dockerfile, dockerfile.content)
        return LocalContext(upload, str(dockerfile or DOCKERFILE))
    text = head + _read_up_to(stream, MAX_DOCKERFILE)
    if b"\0" in text or len(text) > MAX_DOCKERFILE:
        raise ClientError("the stream holds neither a tar nor a Dockerfile", slug="context-invalid")
    if dockerfile is not None:
        raise ClientError(
            "the stream holds a Dockerfile and another one is named; give one of them",
            slug="dockerfile-ambiguous",
            field="dockerfile",
        )
    return LocalContext(DockerfileSource(text).upload(), DOCKERFILE, text=text)


def _is_archive(head: bytes) -> bool:
    if head.startswith(_COMPRESSED) or not head.strip(b"\0"):  # zeros only: a tar without a member
        return True
    import tarfile  # noqa: PLC0415  (brings all compressions with it)

    try:
        tarfile.TarInfo.frombuf(head, tarfile.ENCODING, "surrogateescape")
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
    import tarfile  # noqa: PLC0415  (as above)

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _tar_size(files: Iterable[LocalFile]) -> int:
    """What the tar will have, nearly: a header and a PAX header of two blocks each, padded contents, the end."""
    return sum(3 * BLOCK + -(-file.size // BLOCK) * BLOCK for file in files) + 2 * BLOCK
