"""Whether an image is for the platform that was asked for. Engines take a platform for a wish, not for an order."""

from __future__ import annotations


def is_for(platform: str | None, os: str, architecture: str) -> bool:
    """Tell whether an image of this system and architecture does for `os/architecture[/variant]`, None being any."""
    wanted, _, rest = (platform or f"{os}/{architecture}").partition("/")
    return wanted == os and rest.partition("/")[0] in ("", architecture)
