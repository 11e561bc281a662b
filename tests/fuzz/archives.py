"""How schemathesis sends a body that is an archive or a listing: the bytes it thought of, as they are."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-tar", "application/jsonl")
def as_they_are(_: Any, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="replace")
