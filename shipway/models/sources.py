"""How images and sources of contexts are written. Apart from the specs, for telling them apart needs no Pydantic."""

from __future__ import annotations

import re

IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
IMAGE_SOURCE = "docker-image://"
"""Begins a further context that is an image."""
REMOTE = r"^(?:(?:https?|git|ssh)://|git@|github\.com/)"
"""Pattern of what is fetched from elsewhere."""
