"""One HTTP connection pool to the service, with retries where sending again is safe."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from shipway import __version__
from shipway.client.refusals import error_of, unreachable
from shipway.exceptions import ShipwayError, Unavailable

ATTEMPTS = 4
"""How often a request that may be sent again is sent; with the backoff that is about 2 s."""
CONNECT_TIMEOUT = 5.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Query = Mapping[str, str | int | None]


@dataclass(slots=True)
class Backoff:
    """Growing pauses: each is twice the one before, up to `longest` seconds, and up to half of it is chance."""

    first: float = 0.2
    longest: float = 5.0
    _next: float = field(default=0.0, init=False)

    def reset(self) -> None:
        """Start over: something worked."""
        self._next = 0.0

    async def pause(self) -> None:
        """Sleep; the next pause is longer."""
        self._next = min(self.longest, self._next * 2 or self.first)
        await asyncio.sleep(self._next * random.uniform(0.5, 1.0))  # noqa: S311  (spreads load, keeps no secret)


class Connection:
    """Sends requests to one service and turns every failure into a `ShipwayError`."""

    def __init__(self, url: str, timeout: float, token: str | None = None, identity: httpx.Auth | None = None) -> None:
        self.url = url
        self._timeout = timeout
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            headers={
                "User-Agent": f"shipway/{__version__}",
                **({"Authorization": f"Bearer {token}"} if token else {}),
            },
            auth=identity,
            # A proxy from the environment must not get in the way of a service on this machine.
            trust_env=httpx.URL(url).host not in _LOOPBACK,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def get(self, path: str, params: Query | None = None) -> httpx.Response:
        """GET, sent again when the connection fails or the service is away for the moment."""
        return await self._again(lambda: self._http.build_request("GET", path, params=_given(params)))

    async def post(self, path: str, *, json: Any = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """POST something that may be sent twice: a cancellation, or a build under its idempotency key."""
        return await self._again(lambda: self._http.build_request("POST", path, json=json, headers=headers))

    async def put(self, path: str, *, json: Any, patience: float) -> httpx.Response:
        """PUT, sent again as `get` is; `patience` (seconds) is how long the service may take over it."""
        limits = httpx.Timeout(self._timeout, connect=CONNECT_TIMEOUT, read=patience)
        return await self._again(lambda: self._http.build_request("PUT", path, json=json, timeout=limits))

    async def delete(self, path: str, params: Query | None = None) -> httpx.Response:
        """DELETE, sent again as `get` is."""
        return await self._again(lambda: self._http.build_request("DELETE", path, params=_given(params)))

    async def upload(
        self, path: str, body: Callable[[], AsyncIterable[bytes]], *, patience: float, replayable: bool
    ) -> httpx.Response:
        """POST a streamed body; `patience` (seconds) is how long the service may take over it after its end.

        A body that is not replayable (a pipe) is sent once.
        """
        limits = httpx.Timeout(self._timeout, connect=CONNECT_TIMEOUT, read=patience)
        return await self._again(
            lambda: self._http.build_request(
                "POST", path, content=body(), headers={"Content-Type": "application/x-tar"}, timeout=limits
            ),
            attempts=ATTEMPTS if replayable else 1,
        )

    async def open(self, path: str, *, headers: Mapping[str, str], read_timeout: float) -> httpx.Response:
        """GET with the body left unread; the caller closes the answer. Sent once.

        Raises:
            ClientError: no connection.
            ShipwayError: the service refuses.
        """
        request = self._http.build_request(
            "GET",
            path,
            headers=headers,
            timeout=httpx.Timeout(self._timeout, connect=CONNECT_TIMEOUT, read=read_timeout),
        )
        return await self._send(request, stream=True)

    async def _again(self, build: Callable[[], httpx.Request], attempts: int = ATTEMPTS) -> httpx.Response:
        backoff = Backoff()
        for _ in range(attempts - 1):
            try:
                return await self._send(build())
            except ShipwayError as fault:
                if not may_pass(fault):
                    raise
            await backoff.pause()
        return await self._send(build())

    async def _send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            response = await self._http.send(request, stream=stream)
            if response.is_success:
                return response
            try:
                await response.aread()
            finally:
                await response.aclose()
        except httpx.TransportError as fault:
            raise unreachable(self.url, fault) from fault
        raise error_of(response)


def may_pass(fault: ShipwayError) -> bool:
    """Whether the same request may succeed in a moment."""
    return isinstance(fault, Unavailable) or fault.slug == "service-unreachable"


def _given(params: Query | None) -> dict[str, str | int] | None:
    """What is to be sent. None for nothing: httpx takes even an empty mapping as "remove the query"."""
    return {name: value for name, value in (params or {}).items() if value is not None} or None
