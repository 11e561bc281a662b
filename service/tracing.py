"""A span for each request that changes something, below the one that its sender says; jobs are begun below it."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shipway.telemetry import HEADER, Traces, place, valid

_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})


class Traced:
    """Watches requests but those that only look: they are many, and tell nothing of a build."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _LOOKS:
            await self._app(scope, receive, send)
            return
        method, status = scope["method"], 0
        sender = valid(Headers(scope=scope).get(HEADER))
        span = self._traces.begin(method, sender, kind="server")

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        before = place.set(span.place)
        try:
            await self._app(scope, receive, watched)
        finally:
            place.reset(before)
            route = getattr(scope.get("route"), "path", "unknown")
            span.tell(
                f"{method} {route}",
                {"http.request.method": method, "http.route": route, "http.response.status_code": status},
            )
            span.end(error=str(status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "")
