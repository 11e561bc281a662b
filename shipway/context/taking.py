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


class Taking:
    """The paths that a COPY or ADD takes from the context; told by its sources as they are written."""

    def __init__(self, instruction: str) -> None:
        words = instruction.split()[1:] if takes_files(instruction) else []
        sources = [word for word in words if not word.startswith("--")][:-1]
        self._sources = [source.strip("/").removeprefix("./") for source in sources]
        inline = bool(words) and (not sources or sources[0].startswith("["))
        self.everything = inline or not {"", "."}.isdisjoint(self._sources)

    def __contains__(self, path: str) -> bool:
        return self.everything or any(
            path.startswith(f"{source}/") or fnmatchcase(path, source) for source in self._sources
        )
