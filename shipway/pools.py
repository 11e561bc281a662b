"""Reads which projects have a pool of workers to themselves: `SHIPWAY_POOLS`.

A daemon's images and layer cache are open to every build on it. So projects that don't trust each other need workers of
their own, and a job must find its way to those, whatever worker asks for work.
"""

from __future__ import annotations

import re
from functools import cache

_POOL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PROJECT = _POOL


@cache
def read(text: str) -> dict[str, str]:
    """Return the pool of each project that has one.

    Raises:
        ValueError: it is not `POOL=PROJECT,PROJECT;POOL=…`, or a project is in two pools.
    """
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        pool, _, projects = part.partition("=")
        for project in projects.split(","):
            name = project.strip()
            if not _POOL.fullmatch(pool.strip()) or not _PROJECT.fullmatch(name):
                raise ValueError(f"{part!r} is not POOL=PROJECT,PROJECT in lower case letters, digits and hyphens")
            if found.setdefault(name, pool.strip()) != pool.strip():
                raise ValueError(f"the project {name!r} is in two pools")
    return found
