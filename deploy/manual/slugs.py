"""Every slug that the sources define."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from workers.keeper import Stop

SLUG = re.compile(r"[a-z]+(-[a-z]+)*")
MAKERS = {"_rule", "Rule", "PydanticCustomError"}
"""What is called with a slug first."""
TABLES = {"slug", "SLUGS", "_ABOUT_CONTAINERS"}
"""Names whose values are slugs, or hold some."""
OF_STOPS = {str(Stop.TIMEOUT), str(Stop.STUCK)}
"""A job that is stopped for these reasons has the reason as its slug."""


def defined(repository: Path) -> set[str]:
    """All slugs in the three packages."""
    files = (file for package in ("shipway", "service", "workers") for file in (repository / package).rglob("*.py"))
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    return OF_STOPS.union(*(_texts(value) for node in nodes for value in _places(node)))


def _places(node: ast.AST) -> Iterator[ast.AST]:
    """Where in a node a slug stands, if it is one of the forms in which slugs are written."""
    match node:
        case ast.keyword(arg="slug", value=value):
            yield value
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in MAKERS:
            yield first
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in TABLES:
            yield value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.AST() as value) if name in TABLES:
            yield value


def _texts(node: ast.AST) -> set[str]:
    """Slugs among the texts of an expression; a key that something is looked up by is none."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) and SLUG.fullmatch(node.value) else set()
    parts = [node.value] if isinstance(node, ast.Subscript) else list(ast.iter_child_nodes(node))
    return set().union(*map(_texts, parts))
