"""What happens to every request, without standing between it and its streams: it is measured, its sender identified."""

from __future__ import annotations

from time import perf_counter

from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics, session
from service.errors import answer
from service.logic.access import identify
from service.process import Process
from shipway.exceptions import ShipwayError, Unauthorized

OPEN = frozenset({"/healthz", "/readyz", "/login"})
"""Paths that need no token."""


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


class Identified:
    """Takes no request without a valid token, before a byte of its body is read; the caller goes into its state.

    It stands before the routes, so that a new one is closed without having to say so.
    """

    def __init__(self, app: ASGIApp, process: Process) -> None:
        self._app = app
        self._process = process

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN and not scope["path"].startswith("/static/"):
            headers = Headers(scope=scope)
            try:
                caller = await identify(self._process, _token(headers, scope["method"]))
            except ShipwayError as error:
                if error.status == Unauthorized.status and "text/html" in headers.get("accept", ""):
                    await RedirectResponse("/login", status_code=303)(scope, receive, send)
                    return
                await answer(error, error.status)(scope, receive, send)
                return
            address = scope["client"][0] if scope["client"] else ""
            scope.setdefault("state", {})["caller"] = caller.model_copy(update={"address": address})
        await self._app(scope, receive, send)


def _token(headers: Headers, method: str) -> str:
    """The token of the Authorization header, or of a browser's cookie."""
    scheme, token = get_authorization_scheme_param(headers.get("authorization"))
    if not scheme:
        return session.token_in(headers, method)
    return token if scheme.lower() == "bearer" else ""
