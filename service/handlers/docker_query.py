"""Docker's own query parameters of `POST /build`, as fields of a build request.

Source: the Docker Engine API reference, operation ImageBuild. Only the names that Shipway knows are taken;
booleans are read as the engine reads them (`1`, `true`, `True`, …).
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from starlette.datastructures import QueryParams

from shipway.exceptions import InvalidRequest

TEXT = {
    "dockerfile": "dockerfile",
    "target": "target",
    "platform": "platform",
    "networkmode": "network",
    "builder": "builder",
    "timeout": "timeout",
    "priority": "priority",
}
FLAGS = {"nocache": "no_cache", "pull": "pull", "push": "push"}
JSON = {"buildargs": "build_args", "labels": "labels", "cachefrom": "cache_from"}
IGNORED = {"q", "rm", "forcerm", "version"}
"""Names a Docker client sends that make no difference to the image."""


def build_fields(query: QueryParams) -> dict[str, Any]:
    """Translate the query into fields of a `BuildRequest`, not yet validated.

    Raises:
        InvalidRequest: a name is not known, or a value isn't JSON where Docker wants JSON.
    """
    fields: dict[str, Any] = {}
    for name in query:
        if name == "t":
            fields["tags"] = [tag for tag in query.getlist("t") if tag]
        elif name == "extrahosts":
            fields["extra_hosts"] = query.getlist(name)
        elif name in TEXT:
            fields[TEXT[name]] = query[name] or None
        elif name in FLAGS:
            fields[FLAGS[name]] = query[name].lower() not in ("", "0", "no", "false", "none")
        elif name in JSON:
            fields[JSON[name]] = _json(name, query[name])
        elif name not in IGNORED:
            raise InvalidRequest(f"the parameter {name[:64]!r} is not known", slug="parameter-unknown", field=name[:64])
    return {name: value for name, value in fields.items() if value is not None}


def registry_logins(header: str | None) -> dict[str, Any]:
    """Read Docker's `X-Registry-Config` header: base64 of `{host: {"username": …, "password": …}}`.

    Raises:
        InvalidRequest: it is not that.
    """
    if not header:
        return {}
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
        return {host: {"username": login["username"], "password": login["password"]} for host, login in decoded.items()}
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise InvalidRequest(
            "X-Registry-Config is base64 of a JSON object: registry to username and password",
            field="X-Registry-Config",
        ) from fault


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError) as fault:
        raise InvalidRequest(f"the parameter {name} must be JSON", field=name) from fault
