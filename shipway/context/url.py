"""Tells a source that is elsewhere from a local one."""

from __future__ import annotations

import re
from pathlib import Path

from shipway.models.sources import IMAGE_ID, IMAGE_SOURCE, REMOTE


def is_remote(source: str) -> bool:
    """Whether a source is a URL rather than a local path, as Docker tells them apart."""
    return re.match(REMOTE, source) is not None and not Path(source).exists()


def is_local(source: str) -> bool:
    """Whether a further context is a local path: neither a URL, nor an image, nor the digest of an uploaded one."""
    return not (is_remote(source) or source.startswith(IMAGE_SOURCE) or IMAGE_ID.fullmatch(source))
