"""Shows the lines of a Dockerfile around the place of a failure."""

from __future__ import annotations

from shipway.cli.text import one_line
from shipway.context.place import Place

_RULE = "-" * 20


def render_excerpt(text: str, place: Place, name: str) -> str:
    """Show the place with a `>>>` at each of its lines."""
    lines = text.splitlines()
    marked = [
        f"{number:4d} | {'>>>' if number in place else '   '} {_as_it_stands(lines[number - 1])}"
        for number in place.around(len(lines))
    ]
    return "\n".join([f"{name}:{place.first}", _RULE, *marked, _RULE])


def _as_it_stands(line: str) -> str:
    """The line as it stands, indentation included, without anything that could move the cursor."""
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    return (indent + one_line(line)).expandtabs(4)
