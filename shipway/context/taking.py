"""What an instruction takes from the context, told by its text as the builders name their steps."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

_PREFIX = re.compile(r"(?:\[[^\]]*\]|Step\s+[0-9]+/[0-9]+\s*:)\s*")
"""How the builders begin a step's name: `[build 2/4] COPY . .`, `Step 3/5 : RUN make`."""


def instruction_of(step: str) -> str:
    """The instruction in the name of a step."""
    return _PREFIX.sub("", step, count=1)


def takes_files(instruction: str) -> bool:
    """Whether an instruction copies files of the context."""
    keyword, *words = instruction.split() or [""]
    return keyword.upper() in {"COPY", "ADD"} and not any(word.startswith("--from=") for word in words)


def copies(instruction: str, path: str) -> bool:
    """Whether a COPY or ADD takes this path from the context; told by its sources as they are written."""
    if not takes_files(instruction):
        return False
    sources = [word for word in instruction.split()[1:] if not word.startswith("--")][:-1]
    if not sources or sources[0].startswith("["):
        return True
    return any(_covers(source.strip("/").removeprefix("./"), path) for source in sources)


def _covers(source: str, path: str) -> bool:
    return source in ("", ".") or fnmatchcase(path, source) or path.startswith(f"{source}/")
