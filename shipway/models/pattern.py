"""Patterns over names that have parts between slashes: repositories, and what a CI job's identity says.

`*` stands for any characters of one part, `**` for any characters at all; everything else stands for itself.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import Field

Pattern = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[!-~]+$")]
"""Printable ASCII without spaces; `*` stays within one part of a name, `**` does not."""

_WILD = {"**": ".*", "*": "[^/]*"}


def matches(pattern: str, name: str) -> bool:
    """Whether a name is one of those that a pattern stands for."""
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", re.sub(r"\*{3,}", "**", pattern))
    return re.compile("".join(_WILD.get(part) or re.escape(part) for part in parts), re.DOTALL)
