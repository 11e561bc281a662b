"""What the client's coroutines stand on: an event loop, or nothing but the thread that runs them.

All that the client does is written once, as coroutines over a `Ground`. `OnLoop` waits as asyncio does, for programs
that have a loop. `Alone` waits by blocking, so that a command needs neither asyncio nor httpx, whose loading takes
longer than all that `shipway build` does when nothing has changed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection."""


class Request(NamedTuple):
    """What is to be sent.

    Attributes:
        method: `GET` and its like.
        path: URL path below the service's URL, with the query.
        headers: what is added to those of every request.
        body: the bytes, or what makes an iterator over them; it may block.
        patience: seconds that the service may be silent; None for the usual time.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | Callable[[], AsyncGenerator[bytes, None]] = b""
    patience: float | None = None


class Answer:
    """An answer whose body has not been read yet.

    Attributes:
        status: of HTTP.
        headers: by name, in lower case.
        content: the body, once `read` has returned.
    """

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        chunks: AsyncGenerator[bytes, None],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self.status = status
        self.headers = headers
        self.chunks = chunks
        self.content = b""
        self._close = close

    @property
    def is_success(self) -> bool:
        """Whether the service did as asked."""
        return 200 <= self.status < 300  # noqa: PLR2004  (HTTP's own border)

    async def read(self) -> None:
        """Read the body, and hang up if it breaks off."""
        try:
            async with aclosing(self.chunks) as chunks:
                self.content = b"".join([chunk async for chunk in chunks])
        finally:
            await self.close()

    def json(self) -> Any:
        """The body as what its JSON says."""
        return json.loads(self.content)

    async def close(self) -> None:
        """Read no further; the connection is kept if nothing of the answer is left on it."""
        await self.chunks.aclose()
        await self._close()


class Ground(Protocol):
    """Where coroutines wait.

    Every method that reaches for the service raises `ClientError` (`service-unreachable`) when it can't be reached.
    """

    url: str

    async def send(self, request: Request) -> Answer:
        """Send a request; the caller reads or closes the answer."""

    async def pause(self, seconds: float) -> None:
        """Wait for a time."""

    def iterate(self, make: Callable[[], Iterable[T]]) -> AsyncGenerator[T, None]:
        """Yield what a blocking iterable yields."""

    async def call(self, function: Callable[[], T]) -> T:
        """Return what a blocking function returns."""

    def aside(self, function: Callable[[], None]) -> None:
        """Run a blocking function while all else goes on; `close` waits for it."""

    async def together(self, works: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Do several things at the same time; raises ExceptionGroup when any of them fails."""

    async def close(self) -> None:
        """Close all connections, and wait for what runs aside."""


def common_headers(version: str, token: str | None) -> dict[str, str]:
    """What every request carries."""
    return {"User-Agent": f"shipway/{version}", **({"Authorization": f"Bearer {token}"} if token else {})}
