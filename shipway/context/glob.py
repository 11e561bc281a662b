r"""One pattern of a `.dockerignore` file, compiled to something that matches in bounded time.

Source of the meaning: Go's `filepath.Match` (`*`, `?`, `[a-z]`, `[^…]`, `\` escapes) and moby/patternmatcher, which
adds `**` for any number of directories, with these habits of its own that are kept here:

- `a/**` is everything below `a`; `**/a` and `**a` are plain suffix tests, so `**a` matches `dir/banana`;
- in the middle, `**` and a following slash together are `(.*/)?`, so `a**b` matches `ab` and `a/x/b`;
- a negated class `[^a]` also matches a slash.

Where moby's translation lets regular-expression syntax leak through by accident (`\d`, `^`, `[*]`), the documented
meaning of `filepath.Match` is followed instead.

Patterns reach the worker from a user's Dockerfile directory, so matching must not take exponential time. Patterns
whose repeats can't multiply are given to `re`; the others are run as a lazily built deterministic automaton.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple, Protocol

_CACHED_TRANSITIONS = 50_000


class Kind(Enum):
    """What one token of a pattern matches."""

    CHAR = auto()
    SET = auto()  # one character, given as a regular expression
    STAR = auto()  # any characters but the slash
    DIRS = auto()  # any number of whole directories: (.*/)?
    REST = auto()  # anything


class Token(NamedTuple):
    """One piece of a parsed pattern; `text` is the character or the regular expression of one."""

    kind: Kind
    text: str = ""

    @property
    def regex(self) -> str:
        """The token as a regular expression."""
        match self.kind:
            case Kind.CHAR:
                return re.escape(self.text)
            case Kind.SET:
                return self.text
            case Kind.STAR:
                return "[^/]*"
            case Kind.DIRS:
                return "(?:.*/)?"
            case Kind.REST:
                return ".*"


class Matcher(Protocol):
    """Answers whether a whole path matches one pattern."""

    def __call__(self, path: str, /) -> bool: ...


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Matcher:
    r"""Compile a cleaned pattern (no `!`, no leading slash) as moby/patternmatcher reads it.

    Raises:
        ValueError: the pattern is malformed (an open `[`, an empty or reversed range, a `\` at the end).
    """
    tokens = parse(pattern)
    if pattern == "**":
        return lambda _path: True
    wild = [token for token in tokens if token.kind is not Kind.CHAR]
    if not wild and "\\" not in pattern:
        return pattern.__eq__
    if "\\" not in pattern and len(wild) == 1:
        if wild[0] is tokens[-1] and wild[0].kind is Kind.REST:
            return _prefix(pattern[:-2])
        if wild[0] is tokens[0] and wild[0].kind is Kind.DIRS:
            return _suffix(pattern[2:])
    return _matcher(tokens)


@lru_cache(maxsize=1024)
def compile_name(pattern: str) -> Matcher:
    """Compile a pattern for one name without slashes as `filepath.Match` reads it.

    Raises:
        ValueError: the pattern is malformed.
    """
    return _matcher(parse(re.sub(r"(\\.)|\*+", lambda m: m[1] or "*", pattern, flags=re.DOTALL)))


def has_wildcards(name: str) -> bool:
    """Return whether a name holds an unescaped `*`, `?` or `[`."""
    return re.search(r"[*?\[]", re.sub(r"\\.", "", name, flags=re.DOTALL)) is not None


def escape(path: str) -> str:
    """Return the pattern that matches exactly this path."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", path)


def parse(pattern: str) -> list[Token]:
    """Split a pattern into tokens.

    Raises:
        ValueError: the pattern is malformed.
    """
    tokens: list[Token] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            token, at = _stars(pattern, at)
        elif char == "?":
            token = Token(Kind.SET, "[^/]")
        elif char == "[":
            token, at = _set(pattern, at)
        elif char == "\\":
            text, at = _escaped(pattern, at - 1)
            token = Token(Kind.CHAR, text)
        else:
            token = Token(Kind.CHAR, char)
        tokens.append(token)
    return tokens


def _stars(pattern: str, at: int) -> tuple[Token, int]:
    if not pattern.startswith("*", at):
        return Token(Kind.STAR), at
    at += 1
    if pattern.startswith("/", at):
        at += 1
    return Token(Kind.REST if at >= len(pattern) else Kind.DIRS), at


def _set(pattern: str, at: int) -> tuple[Token, int]:
    """Read a character class after its `[` by the grammar of `filepath.Match`."""
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[str] = []
    while not (ranges and pattern.startswith("]", at)):
        low, at = _bound(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _bound(pattern, at + 1)
        if low > high:
            raise ValueError(f"the range {low}-{high} is reversed")
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    return Token(Kind.SET, f"[{'^' * negated}{''.join(ranges)}]"), at + 1


def _bound(pattern: str, at: int) -> tuple[str, int]:
    if at >= len(pattern):
        raise ValueError("a '[' is not closed")
    if pattern[at] in "-]":
        raise ValueError(f"a range lacks a character before {pattern[at]!r}")
    return _escaped(pattern, at)


def _escaped(pattern: str, at: int) -> tuple[str, int]:
    """Return the character at a place, taking a backslash as an escape, and the place after it."""
    if pattern[at] != "\\":
        return pattern[at], at + 1
    if at + 1 >= len(pattern):
        raise ValueError("a '\\' at the end escapes nothing")
    return pattern[at + 1], at + 2


def _prefix(prefix: str) -> Matcher:
    return lambda path: path.startswith(prefix)


def _suffix(suffix: str) -> Matcher:
    bare = suffix[1:] if suffix.startswith("/") else None
    return lambda path: path.endswith(suffix) or path == bare


def _matcher(tokens: list[Token]) -> Matcher:
    if _backtracks_little(tokens):
        found = re.compile("".join(token.regex for token in tokens)).fullmatch
        return lambda path: found(path) is not None
    return Automaton(tokens).matches


def _backtracks_little(tokens: list[Token]) -> bool:
    """Return whether at most one `**` and no two `*` without a slash between them occur."""
    spans = sum(token.kind in (Kind.DIRS, Kind.REST) for token in tokens)
    stars = 0
    for token in tokens:
        if token == (Kind.CHAR, "/") or token.kind in (Kind.DIRS, Kind.REST):
            stars = 0
        stars += token.kind is Kind.STAR
        if stars > 1:
            return False
    return spans <= 1


class Automaton:
    """Matches tokens in time proportional to the path, whatever the pattern.

    A state is the set of places in the pattern that the path read so far may have reached. Each DIRS token takes
    two places: before it (where it may be skipped) and inside it (until a slash leads out).
    """

    def __init__(self, tokens: list[Token]) -> None:
        self._places: list[Token | None] = []  # None: inside the DIRS token before it
        for token in tokens:
            self._places += [token, None] if token.kind is Kind.DIRS else [token]
        self._sets = {t.text: re.compile(t.text, re.DOTALL).fullmatch for t in tokens if t.kind is Kind.SET}
        self._start = self._closure({0})
        self._steps: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(self, path: str) -> bool:
        """Return whether the whole path matches."""
        state = self._start
        for char in path:
            following = self._steps.get((state, char))
            if following is None:
                following = self._step(state, char)
            if not following:
                return False
            state = following
        return len(self._places) in state

    def _step(self, state: frozenset[int], char: str) -> frozenset[int]:
        reached: set[int] = set()
        for place in state:
            if place < len(self._places):
                reached.update(self._after(place, char))
        following = self._closure(reached)
        if len(self._steps) >= _CACHED_TRANSITIONS:
            self._steps.clear()
        self._steps[state, char] = following
        return following

    def _after(self, place: int, char: str) -> tuple[int, ...]:
        token = self._places[place]
        if token is None:
            return (place, place + 1) if char == "/" else (place,)
        match token.kind:
            case Kind.CHAR:
                return (place + 1,) if char == token.text else ()
            case Kind.SET:
                return (place + 1,) if self._sets[token.text](char) else ()
            case Kind.STAR:
                return (place,) if char != "/" else ()
            case Kind.REST:
                return (place,)
            case Kind.DIRS:
                return ()

    def _closure(self, places: set[int]) -> frozenset[int]:
        waiting = list(places)
        closed = set(places)
        while waiting:
            place = waiting.pop()
            token = self._places[place] if place < len(self._places) else None
            if token is None:
                continue
            free: tuple[int, ...] = ()
            if token.kind in (Kind.STAR, Kind.REST):
                free = (place + 1,)
            elif token.kind is Kind.DIRS:
                free = (place + 1, place + 2)
            fresh = [n for n in free if n not in closed]
            closed.update(fresh)
            waiting += fresh
        return frozenset(closed)
