"""Spans that are sent, over OTLP and HTTP. The library reads its own `OTEL_…` variables; all work is in its threads.

The provider is this module's own, not the process's: what other libraries would trace is not asked for.
"""

from __future__ import annotations

import os
import threading
import time

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shipway import __version__
from shipway.telemetry import HEADER, Attributes, Kind, Span, Traces

_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_PROPAGATOR = TraceContextTextMapPropagator()


class _Watched(Span):
    def __init__(self, span: OtelSpan) -> None:
        now = span.get_span_context()
        super().__init__(f"00-{now.trace_id:032x}-{now.span_id:016x}-{now.trace_flags:02x}")
        self._span = span

    def tell(self, name: str, attributes: Attributes) -> None:
        self._span.update_name(name)
        self._span.set_attributes(attributes)

    def end(self, at: float | None = None, error: str = "") -> None:
        if error:
            self._span.set_status(StatusCode.ERROR, error)
        self._span.end(_nanoseconds(at))


class Exported(Traces):
    """Sends spans to where the environment says."""

    def __init__(self, part: str) -> None:
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": part}
        # A dead collector must not hold up the end of a process: whoever can wait flushes.
        self._provider = TracerProvider(
            resource=Resource.create({**named, "service.version": __version__}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("shipway", __version__)

    def begin(
        self,
        name: str,
        parent: str,
        at: float | None = None,
        kind: Kind = "internal",
        attributes: Attributes | None = None,
    ) -> Span:
        context = _PROPAGATOR.extract({HEADER: parent}, Context())
        return _Watched(
            self._tracer.start_span(name, context, _KINDS[kind], attributes=attributes, start_time=_nanoseconds(at))
        )

    def flush(self, limit: float) -> None:
        flushing = threading.Thread(target=self._provider.force_flush, daemon=True)
        flushing.start()
        flushing.join(limit)


def _nanoseconds(at: float | None) -> int:
    return time.time_ns() if at is None else int(at * 1e9)
