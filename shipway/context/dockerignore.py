"""`.dockerignore` by Docker's rules.

Sources: the reader in moby/patternmatcher/ignorefile (comments, blanks, cleaning), its `PatternMatcher` with the
results of parent directories handed down (the variant that docker's client and BuildKit walk with), and the pruning of
excluded directories in tonistiigi/fsutil's filter.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shipway.context.glob import Matcher, compile_pattern
from shipway.context.paths import shown
from shipway.exceptions import ContextError

Trail = tuple[bool, ...]
"""What has matched a directory or a parent of it; handed down to what lies below."""

_BOM = b"\xef\xbb\xbf"
_WILD = frozenset("*[]?^\\")


def read_patterns(raw: bytes | str) -> list[str]:
    """Read the lines of a `.dockerignore` file as patterns, cleaned, exceptions with their `!` in front.

    A `#` starts a comment only as the very first character of a line. A leading slash means nothing: patterns are
    relative to the context. Names that are not UTF-8 come through as surrogates, as `os.fsdecode` gives them.
    """
    data = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else raw
    lines = data.removeprefix(_BOM).decode("utf-8", "surrogateescape").split("\n")
    patterns = (_clean_line(line.strip()) for line in lines if not line.startswith("#"))
    return [pattern for pattern in patterns if pattern]


def _clean_line(line: str) -> str:
    mark = "!" if line.startswith("!") else ""
    pattern = line.removeprefix("!").strip()
    if pattern:
        pattern = _clean(pattern)
        if len(pattern) > 1:
            pattern = pattern.removeprefix("/")
    return mark + pattern


def _clean(path: str) -> str:
    """Shorten a path as Go's `filepath.Clean` does; unlike `normpath`, which keeps two leading slashes."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


class Pattern(NamedTuple):
    """One pattern: its text without the `!`, whether it is an exception, and its matcher."""

    text: str
    exception: bool
    matches: Matcher

    @classmethod
    def parse(cls, line: str) -> Pattern:
        """Compile one pattern.

        Raises:
            ContextError: it is malformed (`dockerignore-invalid`).
        """
        cleaned = _clean(line)
        text = cleaned.removeprefix("!")
        if not text:
            raise ContextError("an exception in .dockerignore names nothing: '!'", slug="dockerignore-invalid")
        try:
            matches = compile_pattern(text)
        except ValueError as error:
            raise ContextError(
                f"the pattern {shown(line)} in .dockerignore is malformed: {error}", slug="dockerignore-invalid"
            ) from None
        return cls(text, cleaned.startswith("!"), matches)

    @property
    def exact(self) -> bool:
        """Whether the pattern is one path, matched by nothing but itself."""
        return not _WILD.intersection(self.text)

    @property
    def base(self) -> str:
        """The pattern without a trailing `/*` or `/**`."""
        return self.text.removesuffix("/**").removesuffix("/*")

    @property
    def literal(self) -> bool:
        """Whether the base is a plain path, so that a prefix test tells where matches can lie."""
        return not _WILD.intersection(self.base)


class PatternMatcher:
    """An ordered list of patterns: the last one that matches a path or a parent of it decides."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile the patterns.

        Raises:
            ContextError: one is malformed (`dockerignore-invalid`).
        """
        self.patterns = tuple(Pattern.parse(stripped) for line in patterns if (stripped := line.strip()))
        self._wanted_bases = _literal_bases(p for p in self.patterns if not p.exception)
        self._exception_bases = _literal_bases(p for p in self.patterns if p.exception)
        self._ordered = any(pattern.exception for pattern in self.patterns)
        self._exact = frozenset(pattern.text for pattern in self.patterns if pattern.exact)
        self._inexact = tuple(pattern.matches for pattern in self.patterns if not pattern.exact)

    def excludes(self, path: str) -> bool:
        """Return whether the patterns select this path (for `.dockerignore`: leave it out)."""
        matched, trail = False, None
        for ancestor in _with_ancestors(path):
            matched, trail = self.match(ancestor, trail)
        return matched

    def match(self, path: str, parent: Trail | None) -> tuple[bool, Trail]:
        """Match one path, given the trail of its parent directory (None at the top).

        Walking down with trails costs one test per pattern and path instead of one per ancestor.
        """
        if self._ordered:
            return self._match_in_order(path, parent)
        # Without exceptions the order means nothing. Links to follow may make tens of thousands of exact patterns.
        hit = (parent is not None and parent[0]) or path in self._exact
        if not hit and self._inexact:
            hit = any(matches(path) for matches in self._inexact)
        return hit, (hit,)

    def _match_in_order(self, path: str, parent: Trail | None) -> tuple[bool, Trail]:
        matched = False
        trail: list[bool] = []
        for index, pattern in enumerate(self.patterns):
            hit = parent is not None and parent[index]
            # A pattern that could change nothing is not evaluated, and leaves no trace for the children. Docker's
            # walkers rely on that: after "a/b", an exception "!a" does not bring a/b back.
            if not hit and pattern.exception == matched:
                hit = pattern.matches(path)
            trail.append(hit)
            if hit:
                matched = not pattern.exception
        return matched, tuple(trail)

    def may_except_below(self, directory: str) -> bool:
        """Return whether an exception could bring back something below an excluded directory.

        If not, the directory need not be entered.
        """
        return _may_lie_below(directory, self._exception_bases)

    def may_match_below(self, directory: str) -> bool:
        """Return whether a pattern could match something below a directory that it does not match itself."""
        return _may_lie_below(directory, self._wanted_bases)


def _literal_bases(patterns: Iterable[Pattern]) -> list[str] | None:
    """Return the bases of patterns, sorted, each with a slash at its end; None if one of them has wildcards."""
    listed = list(patterns)
    if not all(pattern.literal for pattern in listed):
        return None
    return sorted(f"{pattern.base}/" for pattern in listed)


def _may_lie_below(directory: str, bases: list[str] | None) -> bool:
    if bases is None:
        return True
    prefix = f"{directory}/"
    at = bisect_left(bases, prefix)
    return at < len(bases) and bases[at].startswith(prefix)


def _with_ancestors(path: str) -> Iterator[str]:
    at = path.find("/")
    while at != -1:
        yield path[:at]
        at = path.find("/", at + 1)
    yield path
