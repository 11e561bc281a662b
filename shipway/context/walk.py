"""Walks a local directory as docker's client does before it sends a context."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from shipway.context.dockerignore import PatternMatcher, Trail, read_patterns
from shipway.context.glob import escape
from shipway.context.paths import shown
from shipway.exceptions import ContextError
from shipway.models.context import DIR, FILE, SYMLINK, EntryType

_IGNORE_FILE = ".dockerignore"


class LocalFile(NamedTuple):
    """One file, directory or symbolic link below the root of a local context.

    Attributes:
        path: relative to the root, `/`-separated.
        source: where it lies on this machine.
        type: what it is.
        stat: its own status (links are not followed).
        link: target of a symbolic link, as written; else empty.
    """

    path: str
    source: str
    type: EntryType
    stat: os.stat_result
    link: str = ""

    @property
    def mode(self) -> int:
        """Permission bits with setuid, setgid and sticky."""
        return stat.S_IMODE(self.stat.st_mode)

    @property
    def size(self) -> int:
        """Bytes of content; 0 for anything but a file."""
        return self.stat.st_size if self.type is FILE else 0


def dockerignore_for(root: Path, dockerfile: str = "Dockerfile") -> list[str]:
    """Return the patterns that apply to a context, as `walk` takes them.

    `<Dockerfile>.dockerignore` beside the Dockerfile goes before `.dockerignore` in the root. `dockerfile` is relative
    to the root, or absolute if it lies elsewhere.

    Raises:
        ContextError: the file can't be read (`context-unreadable`).
    """
    for candidate in (root / f"{dockerfile}{_IGNORE_FILE}", root / _IGNORE_FILE):
        try:
            return read_patterns(candidate.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise _unreadable(str(candidate), error) from None
    return []


def walk(root: Path, patterns: Iterable[str], keep: Iterable[str] = ()) -> Iterator[LocalFile]:
    """Yield what belongs to the context, depth first, names sorted within each directory.

    The paths in `keep` (the Dockerfile and its own ignore file) and `.dockerignore` are there even if the patterns
    exclude them: the builder itself needs them. Sockets are passed over, as docker's client does.

    Raises:
        ContextError: `root` is no directory (`context-not-a-directory`); something can't be read
            (`context-unreadable`), is a FIFO or a device (`context-special-file`), or has a name that is not UTF-8
            (`context-name-encoding`); a pattern is malformed (`dockerignore-invalid`).
    """
    if not root.is_dir():
        raise ContextError(f"{shown(str(root))} is not a directory", slug="context-not-a-directory")
    yield from _Walker(_with_kept(list(patterns), [*keep, _IGNORE_FILE])).walk(str(root))


def _with_kept(patterns: list[str], keep: Iterable[str]) -> PatternMatcher:
    """Add an exception for each path to keep that the patterns would exclude."""
    matcher = PatternMatcher(patterns)
    kept = [f"!{escape(path)}" for path in keep if matcher.excludes(path)]
    return PatternMatcher([*patterns, *kept]) if kept else matcher


class _Open:
    """A directory being listed: what is left of it, its patterns' trail, itself if not yet yielded."""

    def __init__(
        self, names: Iterator[os.DirEntry[str]], prefix: str, trail: Trail | None, unseen: LocalFile | None
    ) -> None:
        self.names = names
        self.prefix = prefix
        self.trail = trail
        self.unseen = unseen


class _Walker:
    """Lists directories with an explicit stack: depth costs no recursion."""

    def __init__(self, matcher: PatternMatcher) -> None:
        self._matcher = matcher
        self._stack: list[_Open] = []

    def walk(self, root: str) -> Iterator[LocalFile]:
        match, stack = self._matcher.match, self._stack
        stack.append(_Open(_listing(root), "", None, None))
        while stack:
            here = stack[-1]
            prefix, above = here.prefix, here.trail
            for found in here.names:
                path = prefix + found.name
                excluded, trail = match(path, above)
                file = self._file(path, found, excluded=excluded)
                if file is None:
                    continue
                if not excluded:
                    if here.unseen is not None:
                        yield from self._unseen_parents()
                    yield file
                if file.type is DIR:
                    names = _listing(found.path, optional=excluded)
                    stack.append(_Open(names, f"{path}/", trail, file if excluded else None))
                    break
            else:
                stack.pop()

    def _file(self, path: str, found: os.DirEntry[str], *, excluded: bool) -> LocalFile | None:
        """Describe a directory entry; None if nothing of it can belong to the context."""
        try:
            if excluded and not (found.is_dir(follow_symlinks=False) and self._matcher.may_except_below(path)):
                return None
            return _local_file(path, found)
        except FileNotFoundError:
            return None  # gone since the directory was listed
        except OSError as error:
            raise _unreadable(found.path, error) from None

    def _unseen_parents(self) -> list[LocalFile]:
        """Take the excluded directories on the way to something that an exception brought back."""
        unseen = [directory.unseen for directory in self._stack if directory.unseen is not None]
        for directory in self._stack if unseen else ():
            directory.unseen = None
        return unseen


def _listing(directory: str, *, optional: bool = False) -> Iterator[os.DirEntry[str]]:
    """List a directory by name. One that is excluded may be unreadable or gone."""
    try:
        with os.scandir(directory) as entries:
            return iter(sorted(entries, key=lambda entry: entry.name))
    except FileNotFoundError:
        return iter(())
    except OSError as error:
        if optional:
            return iter(())
        raise _unreadable(directory, error) from None


def _local_file(path: str, found: os.DirEntry[str]) -> LocalFile | None:
    """Describe a directory entry; None for a socket."""
    _check_encoding("name", path)
    status = found.stat(follow_symlinks=False)
    if stat.S_ISREG(status.st_mode):
        return LocalFile(path, found.path, FILE, status)
    if stat.S_ISDIR(status.st_mode):
        return LocalFile(path, found.path, DIR, status)
    if stat.S_ISLNK(status.st_mode):
        link = os.readlink(found.path)  # noqa: PTH115 - a Path would rewrite "./a//b"
        _check_encoding("link target", link)
        return LocalFile(path, found.path, SYMLINK, status, link)
    if stat.S_ISSOCK(status.st_mode):
        return None
    raise ContextError(
        f"{shown(path)} is a FIFO or a device; add it to .dockerignore", slug="context-special-file", field=path
    )


def _check_encoding(what: str, text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ContextError(
            f"the {what} {shown(os.fsencode(text))} is not UTF-8", slug="context-name-encoding"
        ) from None


def _unreadable(path: str, error: OSError) -> ContextError:
    return ContextError(f"{shown(path)} can't be read: {error.strerror}", slug="context-unreadable")
