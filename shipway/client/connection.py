"""Requests to the service, with retries where sending again is safe."""

from __future__ import annotations

import json as encoding
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from shipway.client.ground import Answer, Ground, Request
from shipway.client.refusals import error_of
from shipway.exceptions import ShipwayError, Unavailable
from shipway.telemetry import HEADER, inherited, place

ATTEMPTS = 4
"""How often a request that may be sent again is sent; with the backoff that is about 2 s."""

Query = Mapping[str, str | int | None]


class Backoff:
    """Growing pauses: each is twice the one before, up to `longest` seconds, and up to half of it is chance."""

    def __init__(self, ground: Ground, first: float = 0.2, longest: float = 5.0) -> None:
        self.ground = ground
        self.first = first
        self.longest = longest
        self._next = 0.0

    def reset(self) -> None:
        """Start over: something worked."""
        self._next = 0.0

    async def pause(self) -> None:
        """Sleep; the next pause is longer."""
        import random  # noqa: PLC0415  (rarely needed, and slow to load)

        self._next = min(self.longest, self._next * 2 or self.first)
        await self.ground.pause(self._next * random.uniform(0.5, 1.0))  # noqa: S311  (spreads load, keeps no secret)


class Connection:
    """Sends requests to one service and turns every failure into a `ShipwayError`."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    @property
    def url(self) -> str:
        """The service's."""
        return self.ground.url

    async def close(self) -> None:
        """Close all connections."""
        await self.ground.close()

    async def get(self, path: str, params: Query | None = None) -> Answer:
        """GET, sent again when the connection fails or the service is away for the moment."""
        return await self._again(Request("GET", path + _query(params), {}))

    async def post(self, path: str, *, json: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """POST something that may be sent twice: a cancellation, or a build under its idempotency key."""
        return await self._again(_with_json("POST", path, json, headers or {}))

    async def put(self, path: str, *, json: Any, patience: float) -> Answer:
        """PUT, sent again as `get` is; `patience` (seconds) is how long the service may take over it."""
        return await self._again(_with_json("PUT", path, json, {}, patience))

    async def delete(self, path: str, params: Query | None = None) -> Answer:
        """DELETE, sent again as `get` is."""
        return await self._again(Request("DELETE", path + _query(params), {}))

    async def upload(
        self,
        path: str,
        body: Callable[[], AsyncGenerator[bytes, None]],
        *,
        patience: float,
        replayable: bool,
        method: str = "POST",
        kind: str = "application/x-tar",
    ) -> Answer:
        """Send a streamed body; `patience` (seconds) is how long the service may take over it after its end.

        A body that is not replayable (a pipe) is sent once; `kind` is its content type.
        """
        request = Request(method, path, {"Content-Type": kind}, body, patience)
        return await self._again(request, attempts=ATTEMPTS if replayable else 1)

    async def post_open(self, path: str, *, json: Any, headers: Mapping[str, str], patience: float) -> Answer:
        """POST as `post`, with the answer's body left unread; the caller closes it."""
        return await self._again(_with_json("POST", path, json, headers, patience), send=self.open)

    async def open(self, request: Request) -> Answer:
        """Send a request once and leave the answer's body unread; the caller closes it.

        Raises:
            ClientError: no connection.
            ShipwayError: the service refuses.
        """
        if trace := place.get() or inherited():
            request = request._replace(headers={**request.headers, HEADER: trace})
        answer = await self.ground.send(request)
        if not answer.is_success:
            await answer.read()
            raise error_of(self.url, request.path, answer)
        return answer

    async def _again(
        self,
        request: Request,
        attempts: int = ATTEMPTS,
        send: Callable[[Request], Awaitable[Answer]] | None = None,
    ) -> Answer:
        send = send or self._send
        backoff = Backoff(self.ground)
        for _ in range(attempts - 1):
            try:
                return await send(request)
            except ShipwayError as fault:
                if not may_pass(fault):
                    raise
            await backoff.pause()
        return await send(request)

    async def _send(self, request: Request) -> Answer:
        answer = await self.open(request)
        await answer.read()
        return answer


def may_pass(fault: ShipwayError) -> bool:
    """Whether the same request may succeed in a moment."""
    return isinstance(fault, Unavailable) or fault.slug == "service-unreachable"


def _query(params: Query | None) -> str:
    given = {name: value for name, value in (params or {}).items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _with_json(method: str, path: str, json: Any, headers: Mapping[str, str], patience: float | None = None) -> Request:
    if json is None:
        return Request(method, path, headers, patience=patience)
    body = encoding.dumps(json).encode()
    return Request(method, path, {"Content-Type": "application/json", **headers}, body, patience)
