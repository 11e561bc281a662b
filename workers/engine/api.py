"""One daemon's HTTP API: the only place that uses aiodocker's private parts.

aiodocker's public `images.build` and `images.push` lack options that builds need, take a lost connection for
the end of a stream, and fail on long lines (DESIGN §6); its session, its URLs and its reading of error answers
are used as they are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
from aiodocker import Docker, DockerError
from multidict import CIMultiDict

from shipway.exceptions import BuildSystemError, BuildUserError

Pairs = Sequence[tuple[str, str]]

DEFAULT_HOST = "unix:///var/run/docker.sock"
QUICK = 15.0
"""Seconds that a call which does no work may take."""
MAX_TARGET = 1_000_000
"""Bytes of path and query: Go's HTTP server, and so the daemon, refuses headers of over 1 MiB."""
CONNECTION_FAILED = 900
"""The status aiodocker gives to errors of its own connection."""


class DaemonApi:
    """A connection pool to one daemon.

    Every call raises BuildSystemError `daemon-unreachable` if there is no connection to be had, `daemon-lost`
    if it broke on the way, and lets `DockerError` through when the daemon itself answers with an error.
    """

    def __init__(self, host: str | None = None) -> None:
        self.host = host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self._docker: Docker | None = None
        self._open: set[aiohttp.ClientResponse] = set()

    async def __aenter__(self) -> Self:
        self._docker = Docker(url=self.host, timeout=aiohttp.ClientTimeout(sock_connect=QUICK))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for response in tuple(self._open):
            response.close()  # wakes whoever still reads it: aiohttp's own closing would leave them waiting for ever
        if self._docker is not None:
            await self._docker.close()
            self._docker = None

    @property
    def docker(self) -> Docker:
        """The aiodocker client. Only valid inside `async with`."""
        if self._docker is None:
            raise RuntimeError("the engine is used outside its `async with`")
        return self._docker

    @property
    def version(self) -> tuple[int, int]:
        """The API version that is spoken, known once a call was made: (1, 41) is that of Engine 20.10."""
        major, minor = self.docker.api_version.removeprefix("v").split(".")
        return int(major), int(minor)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Pairs = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] | None = None,
        versioned: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; the answer's body may be read inside the `with`, whose end closes it."""
        try:
            async with self.docker._query(  # noqa: SLF001 - see the module's docstring
                _target(path, query), method, headers=headers, data=body, versioned_api=versioned
            ) as response:
                self._open.add(response)
                try:
                    yield response
                finally:
                    self._open.discard(response)
                    response.close()
        except DockerError as error:
            if error.status == CONNECTION_FAILED:
                raise _unreachable(self.host, error) from error
            raise
        except aiohttp.ClientError as error:
            raise lost(error) from error

    async def json(
        self,
        method: str,
        path: str,
        *,
        query: Pairs = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: float = QUICK,
    ) -> Any:
        """Return the answer's JSON, or None if it has no body; `limit` is in seconds."""
        async with (
            self._within(limit),
            self.request(method, path, query=query, headers=headers, body=body) as response,
        ):
            return await response.json(content_type=None) if await response.read() else None

    async def ping(self) -> None:
        """Return if the daemon answers, which tells the API version that it speaks by now."""
        async with self._within(QUICK), self.request("GET", "_ping", versioned=False) as response:
            self.docker.api_version = f"v{response.headers['API-Version']}"

    async def upgrade(self, path: str, headers: Pairs) -> aiohttp.ClientResponse:
        """Turn a connection over to another protocol; closing the response closes the connection.

        aiodocker's query method folds repeated headers into one, and a session repeats one.
        """
        await self.docker._check_version()  # noqa: SLF001 - see the module's docstring
        url = self.docker._canonicalize_url(path)  # noqa: SLF001
        try:
            response = await self.docker.session.post(url, headers=CIMultiDict(headers))
        except aiohttp.ClientError as error:
            raise _unreachable(self.host, error) from error
        if response.status == 101:  # noqa: PLR2004 - Switching Protocols
            return response
        text = await response.text()
        response.close()
        raise DockerError(response.status, text)

    @asynccontextmanager
    async def _within(self, limit: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(limit):
                yield
        except TimeoutError as error:
            message = f"the Docker daemon at {self.host} did not answer within {limit:g} s"
            raise BuildSystemError(message, slug="daemon-unreachable") from error


def lost(cause: object) -> BuildSystemError:
    """The daemon went away while it worked."""
    return BuildSystemError(
        f"the Docker daemon went away in mid-work ({cause or 'connection lost'})", slug="daemon-lost"
    )


def _unreachable(host: str, cause: object) -> BuildSystemError:
    return BuildSystemError(f"no Docker daemon answers at {host} ({cause})", slug="daemon-unreachable")


def _target(path: str, query: Pairs) -> str:
    target = f"{path}?{urlencode(query, quote_via=quote)}" if query else path
    if len(target) > MAX_TARGET:
        raise BuildUserError(
            f"the options of this build take {len(target)} bytes; a Docker daemon accepts {MAX_TARGET}. "
            "Large values belong into the context, not into build arguments or labels",
            slug="build-options-too-large",
        )
    return target
