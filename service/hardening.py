"""What protects the service from those who send and read: limits on bodies and on patience, and headers for browsers.

Headers of requests are limited by uvicorn's parser (64 KiB in all). Nothing answers to CORS: a page from elsewhere can
read nothing here.
"""

from __future__ import annotations

import asyncio
import re
from time import monotonic
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_JSON = 8 * 2**20
"""Bytes of a JSON body: all build arguments and secrets at their limits fit."""
STREAMED = re.compile(r"/v1/(contexts(/.*)?|packs|artifacts|builds)/?")
"""Routes whose handlers read the body as it comes, under limits of their own."""
SLOWEST = 1024
"""Bytes per second that a body must have on average, once it took longer than the time without a byte."""
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""For every answer that does not say something else itself, as a page does with its policy."""


class Hardened:
    """Stands before everything else.

    Args:
        app: what it protects.
        stall: seconds that a client may send, or read, nothing.
    """

    def __init__(self, app: ASGIApp, stall: float) -> None:
        self._app = app
        self._stall = stall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
        body = _Body(receive, self._stall, None if STREAMED.fullmatch(scope["path"]) else MAX_JSON)
        answer = _Answer(send, self._stall, request_id)
        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._app(scope, body.receive, answer.send)
            except TimeoutError:
                if not answer.stalled:
                    raise  # or else the connection is closed, for nobody reads at its other end


class _Body:
    """Reads a request's body with limited patience."""

    def __init__(self, receive: Receive, stall: float, limit: int | None) -> None:
        self._receive = receive
        self._stall = stall
        self._limit = limit
        self._size = 0
        self._waited = 0.0
        self._whole = False

    async def receive(self) -> Message:
        """Receive a message.

        Raises:
            HTTPException: 408 when the body comes too slowly, 413 when it is too large to be read whole.
        """
        if self._whole:  # what comes now is that the client has gone
            return await self._receive()
        began = monotonic()
        try:
            async with asyncio.timeout(self._stall):
                message = await self._receive()
        except TimeoutError as fault:
            raise HTTPException(408, f"no byte arrived for {self._stall:g} s; send the body again") from fault
        self._waited += monotonic() - began
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._waited > self._stall and self._size < (self._waited - self._stall) * SLOWEST:
            raise HTTPException(408, f"the body comes at less than {SLOWEST} bytes per second; send it again")
        if self._limit is not None and self._size > self._limit:
            raise HTTPException(413, f"a JSON body has at most {self._limit} bytes")
        return message


class _Answer:
    """Sends an answer with its headers, to a reader who must take it."""

    def __init__(self, send: Send, stall: float, request_id: str) -> None:
        self._send = send
        self._stall = stall
        self._request_id = request_id
        self.stalled = False

    async def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            TimeoutError: the client takes nothing.
        """
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        try:
            async with asyncio.timeout(self._stall):
                await self._send(message)
        except TimeoutError:
            self.stalled = True
            raise
