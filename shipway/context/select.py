"""Which entries of a context a builder asked for.

Source: the filter and the link resolver of tonistiigi/fsutil, which docker's own client applies when BuildKit asks
for a directory with `include-patterns`, `exclude-patterns` and `followpaths`.

With many patterns and entries this takes a while: run it off the event loop.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shipway.context.dockerignore import PatternMatcher, Trail
from shipway.context.glob import compile_name, has_wildcards
from shipway.context.paths import shown
from shipway.exceptions import ContextError
from shipway.models.context import Entry, EntryType, Manifest


def select(
    manifest: Manifest,
    include_patterns: Sequence[str] = (),
    exclude_patterns: Sequence[str] = (),
    follow_paths: Sequence[str] = (),
) -> list[Entry]:
    """Return the wanted entries in the manifest's order.

    Without include patterns and paths to follow, everything is wanted. An entry is included if it or a parent
    matches; an entry that an exclude pattern matches is left out, unless a later exception (`!`) brings it back. The
    parent directories of what is selected are always there, and directories that hold nothing wanted are not.

    Raises:
        ContextError: a pattern is malformed (`dockerignore-invalid`).
    """
    includes = _includes(manifest, include_patterns, follow_paths)
    chosen = _Selection(
        PatternMatcher(includes) if includes else None,
        PatternMatcher(exclude_patterns) if exclude_patterns else None,
    )
    if chosen.include is None and chosen.exclude is None:
        return list(manifest)
    for entry in manifest:
        chosen.visit(entry)
    return chosen.entries


@dataclass(slots=True)
class _Parent:
    """An open directory: its entry, what it begins its children's paths with, and what matched it so far."""

    entry: Entry
    prefix: str
    included: Trail | None
    excluded: Trail | None
    emitted: bool


class _Selection:
    """One pass over entries in depth-first order, with the open parent directories on a stack."""

    def __init__(self, include: PatternMatcher | None, exclude: PatternMatcher | None) -> None:
        self.include = include
        self.exclude = exclude
        self.entries: list[Entry] = []
        self._parents = [_Parent(Entry("", EntryType.DIR, 0), "", None, None, emitted=True)]
        self._pruned = "\0"  # begins no path

    def visit(self, entry: Entry) -> None:
        """Judge the next entry."""
        path = entry.path
        if path.startswith(self._pruned):
            return
        while not path.startswith(self._parents[-1].prefix):
            self._parents.pop()
        here = _Parent(entry, f"{path}/", None, None, emitted=True)
        prunable = self._judge(here, self._parents[-1])
        if here.emitted:
            self._emit(entry)
        if entry.type is EntryType.DIR:
            if prunable:
                self._pruned = here.prefix
            else:
                self._parents.append(here)

    def _judge(self, here: _Parent, above: _Parent) -> bool:
        """Set whether an entry is wanted; return whether nothing below it can be."""
        path, prunable = here.entry.path, False
        if self.include is not None:
            here.emitted, here.included = self.include.match(path, above.included)
            prunable = not here.emitted and not self.include.may_match_below(path)
        if self.exclude is not None:
            hit, here.excluded = self.exclude.match(path, above.excluded)
            if hit:
                here.emitted = False
                prunable = prunable or not self.exclude.may_except_below(path)
        return prunable

    def _emit(self, entry: Entry) -> None:
        for parent in self._parents:
            if not parent.emitted:
                parent.emitted = True
                self.entries.append(parent.entry)
        self.entries.append(entry)


def _includes(manifest: Manifest, patterns: Sequence[str], follow_paths: Sequence[str]) -> list[str]:
    """Join include patterns with the resolved paths; an empty list stands for no filter."""
    if not follow_paths:
        return list(patterns)
    followed = follow_links(manifest, follow_paths)
    if followed is None:
        return list(patterns)
    return _without_nested([*patterns, *followed]) or []


def follow_links(manifest: Manifest, paths: Iterable[str]) -> list[str] | None:
    """Resolve symbolic links along paths, inside the context.

    Returns the paths themselves, the links on the way and what they point to, sorted, as include patterns. The last
    component of a path may hold wildcards, and stays as it is. A link that would lead out of the context stops at its
    root. None means that a path leads to the root: there is no filter.
    """
    resolver = _Resolver(manifest)
    for path in paths:
        resolver.follow(path)
    return _without_nested(sorted(resolver.resolved))


def _without_nested(paths: list[str]) -> list[str] | None:
    """Drop paths that lie below the one before them; None if the root is among them."""
    kept: list[str] = []
    for path in paths:
        if path == ".":
            return None
        if not (kept and path.startswith(f"{kept[-1]}/")):
            kept.append(path)
    return kept


class _Resolver:
    """Follows links without recursion, so that a long chain of links is only a long list."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._children: dict[str, list[str]] | None = None
        self.resolved: set[str] = set()

    def follow(self, path: str) -> None:
        waiting = [path]
        while waiting:
            # The last is taken first, as a recursion would do.
            waiting += reversed(self._follow_to_link(waiting.pop()))

    def _follow_to_link(self, path: str) -> list[str]:
        """Go down one path up to its first link; return the paths on which that link continues."""
        current, rest = ".", path
        while True:
            name, _, rest = rest.partition("/")
            current = _joined(current, name)
            targets = self._targets(current)
            if targets or not rest:
                # A link seen before is not followed again: loops end here.
                if current in self.resolved:
                    return []
                self.resolved.add(current)
                return [posixpath.normpath(f"{target}/{rest}") for target in targets]

    def _targets(self, path: str) -> list[str]:
        folder, _, name = path.rpartition("/")
        if not has_wildcards(name):
            return self._target(path)
        try:
            matches = compile_name(name)
        except ValueError as error:
            raise ContextError(f"the path {shown(path)} is malformed: {error}", slug="dockerignore-invalid") from None
        names = [child for child in self._listing(folder) if matches(child)]
        return [target for child in names for target in self._target(f"{folder}/{child}" if folder else child)]

    def _target(self, path: str) -> list[str]:
        entry = self._manifest.get(path)
        if entry is None or entry.type is not EntryType.SYMLINK:
            return []
        # Joined under "/" first: ".." beyond the root of the context ends there, absolute targets start there.
        return [_under_root(posixpath.join("/", posixpath.dirname(path), entry.link))]

    def _listing(self, folder: str) -> list[str]:
        if self._children is None:
            self._children = {}
            for entry in self._manifest:
                parent, _, name = entry.path.rpartition("/")
                self._children.setdefault(parent, []).append(name)
        return self._children.get(folder, [])


def _joined(path: str, name: str) -> str:
    """Go down by one name; `.` is the root."""
    if name in ("", "."):
        return path
    if name == "..":
        return posixpath.normpath(f"{path}/..")
    return name if path == "." else f"{path}/{name}"


def _under_root(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")
