"""Where the user's files lie on this machine: where platformdirs says.

To load that takes as long as a twentieth of a build in which nothing has changed. On Linux the environment says it
plainly, nearly always, by the rules of the XDG Base Directory Specification.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_NAME = "shipway"


def cache_folder() -> Path:
    """The folder for what can be made anew; it need not exist."""
    told = _told_plainly("XDG_CACHE_HOME", ".cache")
    if told is not None:
        return told
    from platformdirs import user_cache_path  # noqa: PLC0415  (as above)

    return user_cache_path(_NAME)


def config_folder() -> Path:
    """The folder for what the user has set; it need not exist."""
    told = _told_plainly("XDG_CONFIG_HOME", ".config")
    if told is not None:
        return told
    from platformdirs import user_config_path  # noqa: PLC0415  (as above)

    return user_config_path(_NAME)


def _told_plainly(variable: str, below_home: str) -> Path | None:
    home = os.environ.get("HOME")
    folder = os.environ.get(variable) or (os.path.join(home, below_home) if home else "")  # noqa: PTH118
    return Path(folder, _NAME) if sys.platform == "linux" and os.path.isabs(folder) else None  # noqa: PTH117
