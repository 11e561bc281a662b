"""Reads as much of a Dockerfile as is needed outside a builder: where instructions stand and which images they name.

Source: the Dockerfile reference: parser directives, line continuation, comments inside continued lines,
here-documents, `ARG` before the first `FROM`. What can't be understood is left to the builder to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from shipway.models.reference import Reference

_DIRECTIVE = re.compile(r"#\s*(?P<name>[a-zA-Z][a-zA-Z0-9]*)\s*=\s*(?P<value>\S.*?)\s*")
_HEREDOC = re.compile(r"<<-?(?P<quote>[\"']?)(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P=quote)")
_TAKES_HEREDOC = frozenset({"RUN", "COPY", "ADD"})
_VARIABLE = re.compile(
    r"\$(?:(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<op>:?[-+])(?P<word>[^}]*))?\})"
)
_FROM_FLAG = re.compile(r"--from=(\S+)")
_MOUNT = "--mount="
_LONG = 4096
"""Characters that a word may have, before and after its variables are replaced. No longer one names an image."""
_SCRATCH = "scratch"


class Instruction(NamedTuple):
    """One instruction: keyword in capitals, the rest on one line, first and last line (from 1)."""

    keyword: str
    rest: str
    first: int
    last: int

    @property
    def text(self) -> str:
        """Keyword and rest, with single spaces."""
        return " ".join(f"{self.keyword} {self.rest}".split())


def instructions(text: str) -> list[Instruction]:
    """Split a Dockerfile into its instructions."""
    return list(_Scanner(text).instructions())


def directives(text: str) -> dict[str, str]:
    """The parser directives (`syntax`, `escape`, `check`) at the very top, names in lower case."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        match = _DIRECTIVE.fullmatch(line.strip().removeprefix("\ufeff"))
        if match is None:
            break
        found.setdefault(match["name"].lower(), match["value"])
    return found


def images(text: str, build_args: Mapping[str, str]) -> set[Reference]:
    """Every image the Dockerfile names: bases, sources of copies and mounts, and its own frontend."""
    names, stages, defaults = set[str](), {_SCRATCH}, dict[str, str]()
    for item in instructions(text):
        if item.keyword == "ARG" and len(stages) == 1:
            for name, value in _arguments(item.rest):
                defaults[name] = build_args.get(name, _expand(value, defaults))
        elif item.keyword == "FROM":
            words = [word for word in item.rest.split() if not word.startswith("--")]
            names.add(_expand(words[0], defaults) if words else _SCRATCH)
            has_name = len(words) > 2 and words[1].upper() == "AS"  # noqa: PLR2004  (FROM image AS name)
            stages.add(words[2].lower() if has_name else f"#{len(stages)}")
        elif item.keyword in ("COPY", "RUN"):
            names.update(_expand(name, defaults) for name in _copied_from(item))
    if "syntax" in directives(text):
        names.add(directives(text)["syntax"])
    parsed = (_reference(name) for name in names if name.lower() not in stages and not name.isdigit())
    return {reference for reference in parsed if reference is not None}


class _Scanner:
    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")  # as Docker does: no other character ends a line
        self._last = {line.strip(): number for number, line in enumerate(self._lines)}
        self._escape = directives(text).get("escape", "\\")
        self._at = 0

    def instructions(self) -> Iterator[Instruction]:
        while self._at < len(self._lines):
            line = self._lines[self._at].strip().removeprefix("\ufeff")
            if not line or line.startswith("#"):
                self._at += 1
                continue
            yield self._instruction()

    def _instruction(self) -> Instruction:
        first = self._at + 1
        keyword, _, rest = self._logical_line().removeprefix("\ufeff").partition(" ")
        keyword = keyword.upper()
        if keyword in _TAKES_HEREDOC:
            for match in _HEREDOC.finditer(rest):
                self._skip_heredoc(match["name"])
        return Instruction(keyword, rest.strip(), first, self._at)

    def _logical_line(self) -> str:
        parts: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at].strip()
            self._at += 1
            if parts and (not line or line.startswith("#")):
                continue
            if not line.endswith(self._escape):
                parts.append(line)
                break
            parts.append(line[: -len(self._escape)].strip())
        return " ".join(" ".join(parts).split())

    def _skip_heredoc(self, name: str) -> None:
        if self._last.get(name, -1) < self._at:
            return  # no end: then it was none, for example a shift in arithmetic
        while self._lines[self._at].strip() != name:
            self._at += 1
        self._at += 1


def _arguments(rest: str) -> Iterator[tuple[str, str]]:
    for word in rest.split():
        name, _, value = word.partition("=")
        yield name, value.strip("\"'")


def _copied_from(item: Instruction) -> list[str]:
    """What follows `--from=` in a COPY, `from=` among the fields of a RUN's `--mount=`."""
    if item.keyword == "COPY":
        return _FROM_FLAG.findall(item.rest)
    mounts = [word for word in item.rest.split() if word.startswith(_MOUNT)]
    fields = ",".join(mount.removeprefix(_MOUNT) for mount in mounts).split(",")
    return [field.removeprefix("from=") for field in fields if field.startswith("from=")]


def _expand(word: str, values: Mapping[str, str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        value = values.get(match["plain"] or match["name"], "")
        op, other = match["op"], match["word"] or ""
        if op in ("-", ":-"):
            return value or other
        if op in ("+", ":+"):
            return other if value else ""
        return value

    return _VARIABLE.sub(replaced, word.strip("\"'"))[:_LONG] if len(word) <= _LONG else ""


def _reference(name: str) -> Reference | None:
    try:
        return Reference.parse(name)
    except ValueError:
        return None
