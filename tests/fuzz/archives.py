"""How schemathesis sends a body that is an archive: the bytes it thought of, as they are."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-tar")
def as_they_are(_: Any, value: Any) -> bytes:
    return value.encode(errors="replace") if isinstance(value, str) else bytes(value)
