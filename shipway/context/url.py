"""Tells a source at a URL from a local one."""

from __future__ import annotations

import re
from pathlib import Path

_REMOTE = re.compile(r"(?:https?|git|ssh)://|git@|github\.com/")


def is_remote(source: str) -> bool:
    """Whether a source is a URL rather than a local path, as Docker tells them apart."""
    return _REMOTE.match(source) is not None and not Path(source).exists()
