"""A collector of traces on loopback: takes OTLP over HTTP, and reads it as the protocol's own messages."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.server import HttpServer


@dataclass(frozen=True)
class Collected:
    """One span. Ids are hexadecimal, times seconds since the epoch; `part` is the process that sent it."""

    part: str
    trace: str
    id: str
    parent: str
    name: str
    start: float
    end: float
    failed: bool
    attributes: dict[str, Any]


class Collector(HttpServer):
    """Takes spans while entered.

    Attributes:
        spans: those that came.
        raw: every byte of them.
    """

    def __init__(self) -> None:
        self.spans: list[Collected] = []
        self.raw = b""
        super().__init__(self._handler())

    @property
    def env(self) -> dict[str, str]:
        """What asks a process for traces, sent soon, by however busy a machine."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
        }

    def of_trace(self, trace: str) -> list[Collected]:
        """The spans of one trace, by when they began."""
        return sorted((span for span in list(self.spans) if span.trace == trace), key=lambda span: span.start)

    def _take(self, body: bytes) -> None:
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            part = _values(resource.resource.attributes)["service.name"]
            self.spans += [_collected(part, span) for scope in resource.scope_spans for span in scope.spans]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == "application/x-protobuf"
                collector._take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _collected(part: str, span: Span) -> Collected:
    return Collected(
        part=part,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        start=span.start_time_unix_nano / 1e9,
        end=span.end_time_unix_nano / 1e9,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
    )


def _values(pairs: Any) -> dict[str, Any]:
    found: list[KeyValue] = list(pairs)
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in found}
