"""The ground of programs that have an event loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from shipway.client.aside import Aside
from shipway.client.ground import CONNECT_TIMEOUT, LOOPBACK, Answer, Request
from shipway.client.refusals import unreachable
from shipway.client.threads import call_in_thread, iterate_in_thread
from shipway.exceptions import ClientError

T = TypeVar("T")


class OnLoop:
    """Waits as asyncio does: many requests at once, blocking work in threads."""

    def __init__(
        self, url: str, timeout: float, headers: Mapping[str, str], identity: httpx.Auth | None = None
    ) -> None:
        self.url = url
        self._timeout = timeout
        self._aside = Aside()
        local = httpx.URL(url).host in LOOPBACK
        # To read the list of authorities takes longer than to ask who needs none.
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if local and httpx.URL(url).scheme == "http" else True
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=timeout,
            headers=headers,
            auth=identity,
            # A proxy from the environment must not get in the way of a service on this machine.
            trust_env=not local,
            verify=verify,
        )

    async def send(self, request: Request) -> Answer:
        limits = httpx.Timeout(
            self._timeout, connect=min(self._timeout, CONNECT_TIMEOUT), read=request.patience or self._timeout
        )
        body = request.body if isinstance(request.body, bytes) else request.body()
        built = self._http.build_request(
            request.method, request.path, headers=request.headers, content=body or None, timeout=limits
        )
        try:
            response = await self._http.send(built, stream=True)
        except httpx.TransportError as fault:
            raise self._fault(fault) from fault
        return Answer(response.status_code, response.headers, self._chunks(response), response.aclose)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def iterate(self, make: Callable[[], Iterable[T]]) -> AsyncGenerator[T, None]:
        return iterate_in_thread(make)

    async def call(self, function: Callable[[], T]) -> T:
        return await call_in_thread(function)

    def aside(self, function: Callable[[], None]) -> None:
        self._aside.run(function)

    async def together(self, works: Sequence[Coroutine[Any, Any, None]]) -> None:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)

    async def close(self) -> None:
        await self._http.aclose()
        await call_in_thread(self._aside.join)

    async def _chunks(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in response.aiter_bytes():
                yield chunk
        except httpx.TransportError as fault:
            raise self._fault(fault) from fault

    def _fault(self, fault: httpx.TransportError) -> ClientError:
        return unreachable(self.url, fault, late=isinstance(fault, httpx.TimeoutException))
