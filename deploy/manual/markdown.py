"""Writes Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Written by `make docs`; see deploy/manual/. -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a line break within a cell becomes a space."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def code(text: str) -> str:
    """A code span, also within a table."""
    return f"`{text}`"


def prose(text: str) -> str:
    """Text in which nothing but code spans means anything to Markdown."""
    parts = text.split("`")
    for i in range(0, len(parts), 2):
        for mark in "\\*_<[{":
            parts[i] = parts[i].replace(mark, f"\\{mark}")
    return "`".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
