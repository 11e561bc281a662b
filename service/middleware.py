"""Measures every request, without standing between it and its streams."""

from __future__ import annotations

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics


class Measured:
    """Counts requests by route and status, and times them until their answer begins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unknown")
                metrics.REQUESTS.labels(scope["method"], route, message["status"]).inc()
                metrics.REQUEST_SECONDS.labels(scope["method"], route).observe(perf_counter() - began)
            await send(message)

        await self._app(scope, receive, measured)
