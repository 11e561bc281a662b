"""Traces by OpenTelemetry, for whoever asks for them by its own variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and others).

Where nobody asks, nothing of OpenTelemetry is imported, and what another part has begun is handed on as it is: a place
in a trace travels as text, in the form of the header `traceparent` (W3C Trace Context).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from typing import Literal

HEADER = "traceparent"
_FORM = r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

Kind = Literal["internal", "server", "client"]
Attributes = Mapping[str, str | int | float | bool]

place: ContextVar[str] = ContextVar("place", default="")
"""Where in a trace the work of this task belongs; '' for nowhere."""


class Span:
    """One piece of work in a trace; here one that nobody watches.

    Attributes:
        place: what is begun below it has this as its parent.
    """

    def __init__(self, place: str) -> None:
        self.place = place

    def tell(self, name: str, attributes: Attributes) -> None:
        """Say what became known of it: what it is called, and more attributes."""

    def end(self, at: float | None = None, error: str = "") -> None:
        """End it, at a time (seconds since the epoch) or now; with an error if it failed."""


class Traces:
    """Begins spans; here such as nobody watches."""

    def begin(
        self,
        name: str,
        parent: str,
        at: float | None = None,
        kind: Kind = "internal",
        attributes: Attributes | None = None,
    ) -> Span:
        """Begin a span, at a time (seconds since the epoch) or now; without a parent it begins a trace."""
        del name, at, kind, attributes
        return Span(parent)

    def flush(self, limit: float) -> None:
        """Send what has ended, within so many seconds."""


@cache
def traces(part: str) -> Traces:
    """The traces of this process, whose name is `part` unless `OTEL_SERVICE_NAME` says otherwise.

    Raises:
        ImportError: they are asked for, and the extra `telemetry` is not installed.
    """
    if not wanted(os.environ):
        return Traces()
    from shipway.telemetry.export import Exported  # noqa: PLC0415  (heavy, and not always there)

    return Exported(part)


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether an environment asks for traces over OTLP."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    return exporter == "otlp" or (not exporter and any(environment.get(name) for name in _ENDPOINTS))


def valid(text: str | None) -> str:
    """A `traceparent` that is one, or ''."""
    return text if text is not None and re.fullmatch(_FORM, text) else ""


def inherited() -> str:
    """Where the work of this process belongs, by whoever uses or started it: a span of theirs, or `TRACEPARENT`."""
    api = sys.modules.get("opentelemetry.trace")
    if api is not None:
        now = api.get_current_span().get_span_context()
        if now.is_valid:
            return f"00-{now.trace_id:032x}-{now.span_id:016x}-{now.trace_flags:02x}"
    return valid(os.environ.get("TRACEPARENT"))
