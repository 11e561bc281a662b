"""The help pages, made of what commands declare."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from shipway.cli.command import Parameter
from shipway.cli.commands import GROUPS, declared, names_below

WIDTH = 80
_NAMES = 28
"""Columns that names take at most; what is longer has a line of its own."""

Record = tuple[str, str]
"""A name, and what is said of it."""


def help_page(name: str, usage: str) -> str:
    """The page of a command, of a group, or (without a name) of the command line itself."""
    paragraphs = [textwrap.fill(part, WIDTH, initial_indent="  ", subsequent_indent="  ") for part in told(name)]
    sections = {
        "Arguments": arguments(name),
        "Options": [*options(name), ("-h, --help", "Show this message and exit.")],
        "Commands": [(below.split()[-1], summary(below)) for below in names_below(name)],
    }
    lists = ["\n".join([f"{title}:", *_listed(records)]) for title, records in sections.items() if records]
    return "\n\n".join([usage.rstrip(), *paragraphs, *lists]) + "\n"


def told(name: str) -> list[str]:
    """What is said of a command or a group, in paragraphs."""
    text = GROUPS.get(name) or declared(name).__doc__ or ""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def summary(name: str) -> str:
    """The first paragraph of that."""
    return told(name)[0]


def arguments(name: str) -> list[Record]:
    """A command's arguments."""
    return [_record(one) for one in declared(name).parameters().values() if not one.flags and one.about]


def options(name: str) -> list[Record]:
    """A command's options."""
    return [_record(one) for one in declared(name).parameters().values() if one.flags]


def _record(one: Parameter) -> Record:
    names = ", ".join(sorted(one.flags, key=len))
    value, default = one.settings.get("metavar"), one.settings.get("default")
    if default is True:
        names += f" / --no-{names.rpartition('--')[2]}"
    known = f" [default: {default}]" if default not in (None, True, "") and default != [] else ""
    return " ".join(filter(None, (names, value))), one.about + known


def _listed(records: Sequence[Record]) -> Iterator[str]:
    """Two columns."""
    wide = min(max(len(name) for name, _ in records), _NAMES) + 4
    for name, about in records:
        lines = textwrap.fill(about, WIDTH, initial_indent=" " * wide, subsequent_indent=" " * wide)
        fits = len(name) <= wide - 4
        yield f"  {name:<{wide - 2}}{lines[wide:]}" if fits else f"  {name}\n{lines}"
