"""Where the service is.

The first of these that says something counts: the URL given in the call, `SHIPWAY_URL`, the key `url` of
`config.toml` in the user's configuration directory (`~/.config/shipway` on Linux), `http://127.0.0.1:8470`.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from platformdirs import user_config_path

from shipway.exceptions import ClientError

DEFAULT_URL = "http://127.0.0.1:8470"
VARIABLE = "SHIPWAY_URL"


def config_path() -> Path:
    """The user's configuration file; it need not exist."""
    return user_config_path("shipway") / "config.toml"


def service_url(explicit: str | None = None) -> str:
    """The URL of the service, without a slash at the end.

    Raises:
        ClientError: `config-invalid` when the file can't be read, `url-invalid` when the URL is none.
    """
    for url, origin in ((explicit, "the URL given"), (os.environ.get(VARIABLE), VARIABLE)):
        if url:
            return _checked(url, origin)
    return _checked(_configured() or DEFAULT_URL, str(config_path()))


def save_url(url: str) -> Path:
    """Write the URL into the configuration file, for every later call by this user; returns the file."""
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    # A JSON string is a TOML basic string too.
    path.write_text(f"url = {json.dumps(_checked(url, 'the URL given'))}\n")
    return path


def _configured() -> str | None:
    path = config_path()
    try:
        url = tomllib.loads(path.read_text()).get("url")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise ClientError(f"{path} can't be read: {fault}", slug="config-invalid") from fault
    if url is not None and not isinstance(url, str):
        raise ClientError(f"{path}: url must be a string", slug="config-invalid", field="url")
    return url


def _checked(url: str, origin: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ClientError(
            f"{origin} holds {url[:200]!r}; it must look like {DEFAULT_URL}", slug="url-invalid", field="url"
        )
    return url.rstrip("/")
