"""Remembers the digests of a directory's files from one upload to the next, so that only changed ones are read.

A file counts as unchanged while its size, times, inode and mode are what they were. As with git's index, that proves
nothing for a file that was changed just before it was read: another change could have left all of them as they are. So
a digest is remembered only if the file's times are well before the moment at which it was read.

The cache is one file per directory (and its ignore patterns) below the user's cache directory. It is replaced as a
whole: of two clients at once, one wins. One that is damaged, or somebody else's, is no cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from shipway.client.folders import cache_folder
from shipway.context.walk import LocalFile
from shipway.models.context import DIR

RACY = 2_000_000_000
"""Nanoseconds before the reading of a file in which a change of it makes its digest not worth remembering. FAT keeps
times by two seconds; clocks of file servers are off by less, one hopes."""
UNUSED = 30 * 86_400
"""Seconds after which the cache of a directory that nobody sends any more is removed."""
_VERSION = 3
_WHOLE = ".whole"
"""The end of the name of what is remembered of a directory as a whole."""
_SENT = ".sent"
"""The same of the context that was sent last."""


def line_of(path: str, status: os.stat_result) -> str:
    """What tells a changed file from an unchanged one without reading it: its path, size, times, inode and mode."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} {status.st_mode} {path}"


def settled(status: os.stat_result, read_at_ns: int) -> bool:
    """Whether a file that was read then can't have changed since without having another line."""
    return max(status.st_mtime_ns, status.st_ctime_ns) < read_at_ns - RACY


Files = Mapping[str, str]
"""SHA-256 (hexadecimal) of each part of a file's content, separated by spaces, by the file's line."""


class Sent(NamedTuple):
    """A context that was sent, entry by entry in the order of the walk.

    Attributes:
        digest: the context's.
        size: bytes in all its packs.
        keys: what told the entry from a changed one (`Tree.keys`); nothing if that could not be remembered.
        telling: the entry's line in the digest of the context.
        listing: its line in the listing.
    """

    digest: str
    size: int
    keys: list[str]
    telling: list[str]
    listing: list[str]


class StatCache:
    """What is remembered of one directory.

    Args:
        root: the directory.
        patterns: what is left out of it: other ones are another cache.
    """

    def __init__(self, root: Path, patterns: Iterable[str]) -> None:
        self._of = json.dumps([os.path.realpath(root), list(patterns)])
        self._path: Path | None = None
        self._sent: Sent | None = None

    @property
    def _head(self) -> str:
        return f"{_VERSION} {self._of}"

    def load(self) -> Files:
        """Return what is remembered; nothing if there is nothing that can be trusted."""
        head, *fields = self._read("").split("\0")
        return dict(zip(fields[::2], fields[1::2], strict=True)) if head == self._head else {}

    def save(self, files: Files) -> None:
        """Remember these files and no others; a cache that can't be written is no error."""
        self._write("", "\0".join([self._head, *(text for file in files.items() for text in file)]))

    def load_sent(self) -> Sent | None:
        """The context that was sent last; None if not known."""
        if self._sent is None:
            head, *fields = self._read(_SENT).split("\0")
            if head == self._head:
                digest, size, *rows = fields
                self._sent = Sent(digest, int(size), rows[::3], rows[1::3], rows[2::3])
        return self._sent

    def save_sent(self, sent: Sent) -> None:
        """Remember what `load_sent` returns."""
        self._sent = sent
        rows = (text for row in zip(sent.keys, sent.telling, sent.listing, strict=True) for text in row)
        self._write(_SENT, "\0".join([self._head, sent.digest, str(sent.size), *rows]))

    def recall(self, state: str) -> tuple[str, int] | None:
        """The digest and the bytes of the context that the directory was in a state (see `Tree`); None if not known."""
        known, _, rest = self._read(_WHOLE).partition(" ")
        digest, _, size = rest.partition(" ")
        return (digest, int(size)) if known == state else None

    def remember(self, state: str, digest: str, size: int) -> None:
        """Remember what `recall` returns."""
        self._write(_WHOLE, f"{state} {digest} {size}")

    def _read(self, suffix: str) -> str:
        """What was written; nothing if it is not there, not whole, or not ours."""
        try:
            path = self._file(suffix)
            if path.stat().st_uid != os.geteuid():
                return ""
            checksum, _, body = path.read_bytes().partition(b"\n")
            return body.decode() if checksum.decode() == hashlib.sha256(body).hexdigest() else ""
        except (OSError, ValueError):
            return ""

    def _write(self, suffix: str, text: str) -> None:
        import tempfile  # noqa: PLC0415  (slow to load, and not needed where nothing has changed)

        body = text.encode()
        with suppress(OSError):
            path = self._file(suffix)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
                Path(partial).replace(path)
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise
            _tidy(path.parent)

    def forget(self) -> None:
        """Remember nothing: what was remembered turned out to be wrong."""
        self._sent = None
        with suppress(OSError):
            for suffix in ("", _WHOLE, _SENT):
                self._file(suffix).unlink(missing_ok=True)

    def _file(self, suffix: str = "") -> Path:
        if self._path is None:
            name = hashlib.sha256(self._of.encode(errors="surrogateescape")).hexdigest()[:40]
            self._path = cache_folder() / "contexts" / name
        return self._path.with_suffix(suffix)


class Tree:
    """The files of a directory that belong to a context, and what is remembered of them.

    Attributes:
        files: in the order of the walk.
        cache: what is remembered.
        lines: each file's (`line_of`); of a directory only its mode counts.
        keys: the same, with the target of a link and the time of a directory: all that a listing tells of one.
        size: bytes of content of all files.
    """

    def __init__(self, files: tuple[LocalFile, ...], cache: StatCache) -> None:
        self.files = files
        self.cache = cache
        self.lines = list(map(_line, files))
        self.size = sum(file.size for file in files)

    @cached_property
    def keys(self) -> list[str]:
        return [
            f"{line} {file.stat.st_mtime_ns}" if file.type is DIR else line + file.link
            for line, file in zip(self.lines, self.files, strict=True)
        ]

    @property
    def state(self) -> str:
        """SHA-256 of all that tells an unchanged directory from a changed one without reading a file."""
        links = [file.link for file in self.files if file.link]
        return hashlib.sha256("\0".join([*self.lines, *links]).encode()).hexdigest()


def _line(file: LocalFile) -> str:
    if file.type is DIR:  # times tell of what lies in it, and that is listed
        return f"{file.mode} {file.path}"
    return line_of(file.path, file.stat)


def _tidy(folder: Path) -> None:
    """Remove the caches of directories that nobody sends any more, and what was never finished."""
    oldest = time.time() - UNUSED
    for path in folder.iterdir():
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
