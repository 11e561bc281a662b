"""Where the service is, and the token for it.

The first of these that says something counts: the URL given in the call, `SHIPWAY_URL`, the key `url` of
`config.toml` in the user's configuration directory (`~/.config/shipway` on Linux), `http://127.0.0.1:8470`.

Of tokens the first that is there counts: the one given in the call, `SHIPWAY_TOKEN`, the one that `shipway login` kept
for this URL, and for no other, in `tokens.json` beside the configuration file, which only its owner can read. Where
there is none, a CI job may have one of its own: `shipway.client.identity`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from shipway.client.folders import config_folder
from shipway.exceptions import ClientError

DEFAULT_URL = "http://127.0.0.1:8470"
VARIABLE = "SHIPWAY_URL"
TOKEN_VARIABLE = "SHIPWAY_TOKEN"  # noqa: S105  (its name, not its value)
AUDIENCE_VARIABLE = "SHIPWAY_AUDIENCE"


def config_path() -> Path:
    """The user's configuration file; it need not exist."""
    return config_folder() / "config.toml"


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


def tokens_path() -> Path:
    """The file of the user's tokens, by the URL of their service; it need not exist."""
    return config_path().with_name("tokens.json")


def service_token(url: str, explicit: str | None = None) -> str | None:
    """The token for a service, or None.

    Raises:
        ClientError: `config-invalid` when the file can't be read, `token-invalid` when the text can't be a token.
    """
    for token, origin in ((explicit, "the token given"), (os.environ.get(TOKEN_VARIABLE), TOKEN_VARIABLE)):
        if token:
            return checked_token(token, origin)
    kept = _tokens().get(url)
    return None if kept is None else checked_token(kept, str(tokens_path()))


def checked_token(token: str, origin: str) -> str:
    """A token without the space around it.

    Raises:
        ClientError: `token-invalid`: it can't be sent in a header; the message does not repeat it.
    """
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ClientError(f"{origin} holds no token: it must be one word of ASCII", slug="token-invalid")
    return token


def save_token(url: str, token: str) -> Path:
    """Keep the token for a service, readable by its owner only; returns the file.

    Raises:
        ClientError: `config-invalid` when the file can't be read or written.
    """
    import tempfile  # noqa: PLC0415  (as below)

    path, tokens = tokens_path(), {**_tokens(), url: token}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made with mode 0600, and put in its place when it is whole.
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".tokens.")
        with os.fdopen(descriptor, "w") as file:
            json.dump(tokens, file, indent=2)
        Path(partial).replace(path)
    except OSError as fault:
        raise ClientError(f"{path} can't be written: {fault.strerror}", slug="config-invalid") from fault
    return path


def _tokens() -> dict[str, str]:
    path = tokens_path()
    try:
        tokens = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as fault:
        raise ClientError(f"{path} can't be read: {fault}", slug="config-invalid") from fault
    if not isinstance(tokens, dict) or not all(isinstance(token, str) for token in tokens.values()):
        raise ClientError(f"{path} must hold a JSON object: URL to token", slug="config-invalid")
    return tokens


def _configured() -> str | None:
    import tomllib  # noqa: PLC0415  (as above)

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
