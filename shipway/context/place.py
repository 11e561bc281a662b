"""Finds where in a Dockerfile a failure lies."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from shipway.context.dockerfile import Instruction, instructions

AROUND = 2
"""Lines worth showing before and after the instruction."""
_LINE_NUMBER = re.compile(r"(?:\bline\s+|Dockerfile:)(?P<line>[0-9]+)", re.IGNORECASE)
_PREFIX = re.compile(
    r"(?:\[(?P<stage>[^\]]*?)\s*(?P<index>[0-9]+)/(?P<total>[0-9]+)\]|Step\s+(?P<step>[0-9]+)/[0-9]+\s*:)\s*"
)
_NUMBERED = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})
"""What BuildKit counts in `[2/4]` besides a base image."""
_ALIKE = 0.6


@dataclass(frozen=True, slots=True)
class Place:
    """Lines `first` to `last` of a Dockerfile, counted from 1."""

    first: int
    last: int

    def around(self, lines: int) -> range:
        """The numbers of the lines worth showing of a Dockerfile of so many lines."""
        return range(max(1, self.first - AROUND), min(lines, self.last + AROUND) + 1)

    def __contains__(self, line: int) -> bool:
        return self.first <= line <= self.last


def find_place(text: str, step: str | None, message: str) -> Place | None:
    """Find the instruction that a step's name, or the message, speaks of; None if that can't be told."""
    found = instructions(text)
    if step:
        place = _by_step(found, " ".join(step.split()))
        if place is not None:
            return place
    match = _LINE_NUMBER.search(message)
    if match is None or not 0 < int(match["line"]) <= len(text.splitlines()):
        return None
    line = int(match["line"])
    return next((Place(i.first, i.last) for i in found if i.first <= line <= i.last), Place(line, line))


def _by_step(found: list[Instruction], name: str) -> Place | None:
    prefix = _PREFIX.match(name)
    bare = name[prefix.end() :] if prefix else name
    exact = [i for i in found if i.text == _spaced(bare)]
    if prefix and prefix["step"]:
        # The classic builder counts every instruction.
        counted = found[int(prefix["step"]) - 1 : int(prefix["step"])]
        if counted and counted[0].keyword == bare.partition(" ")[0].upper():
            return _place(counted[0])
    if prefix and prefix["index"] and len(exact) != 1:
        counted = _counted(found, prefix["stage"], int(prefix["index"]), int(prefix["total"]), bare)
        if counted:
            return _place(counted[0])
    if exact:
        return _place(exact[0])
    return _closest(found, bare)


def _counted(found: list[Instruction], stage: str, index: int, total: int, bare: str) -> list[Instruction]:
    """The instruction BuildKit numbers so; variables in its name are already replaced, its number stays."""
    keyword = bare.partition(" ")[0].upper()
    candidates: list[Instruction] = []
    for number, items in enumerate(_stages(found)):
        name = _stage_name(items[0]) or f"stage-{number}"
        numbered = [i for i in items[1:] if i.keyword in _NUMBERED]
        for leading in ([items[0]], []):  # a base that is `scratch` or another stage is not counted
            row = [*leading, *numbered]
            if len(row) == total and 0 < index <= total and row[index - 1].keyword == keyword and stage in ("", name):
                candidates.append(row[index - 1])
    return candidates if len({item.first for item in candidates}) == 1 else []


def _stages(found: list[Instruction]) -> list[list[Instruction]]:
    stages: list[list[Instruction]] = []
    for item in found:
        if item.keyword == "FROM":
            stages.append([item])
        elif stages:
            stages[-1].append(item)
    return stages


def _stage_name(item: Instruction) -> str | None:
    words = item.rest.split()
    return words[-1].lower() if len(words) > 2 and words[-2].upper() == "AS" else None  # noqa: PLR2004


def _closest(found: list[Instruction], bare: str) -> Place | None:
    keyword = bare.partition(" ")[0].upper()
    texts = {item.text: item for item in found if item.keyword == keyword}
    match = difflib.get_close_matches(_spaced(bare), list(texts), n=1, cutoff=_ALIKE)
    return _place(texts[match[0]]) if match else None


def _spaced(name: str) -> str:
    keyword, _, rest = name.partition(" ")
    return " ".join(f"{keyword.upper()} {rest}".split())


def _place(item: Instruction) -> Place:
    return Place(item.first, item.last)
