"""Opens a BuildKit session: a connection over which the daemon asks its client for what a build needs.

`POST /session` asks the daemon to switch to HTTP/2 on the same connection; the headers name the session and
the methods it serves. Sources: moby `builder/builder-next` and buildkit `session/grpchijack`, `session/manager.go`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import ClientResponse
from grpclib.health.service import Health

from shipway.exceptions import BuildSystemError
from workers.engine.api import DaemonApi
from workers.engine.session.grpc import GrpcConnection, Service

EXPOSE = "X-Docker-Expose-Session-"


@asynccontextmanager
async def open_session(api: DaemonApi, services: Sequence[Service], shared_key: str) -> AsyncIterator[str]:
    """Serve a session while inside; yields its id, which `POST /build` wants to know.

    The daemon keeps its copy of a context under the session's name and shared key together.
    """
    identity = uuid.uuid4().hex
    grpc = GrpcConnection([*services, Health()])
    headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "h2c"),
        (f"{EXPOSE}Uuid", identity),
        (f"{EXPOSE}Name", "shipway"),
        (f"{EXPOSE}Sharedkey", shared_key),
        *((f"{EXPOSE}Grpc-Method", method) for method in grpc.methods),
    ]
    response = await api.upgrade("session", headers)
    try:
        grpc.take(*_hijack(response))
        yield identity
    finally:
        response.close()
        await grpc.finish()


def _hijack(response: ClientResponse) -> tuple[asyncio.Transport, bytes]:
    connection = response.connection
    transport = connection.transport if connection is not None else None
    if connection is None or not isinstance(transport, asyncio.Transport):
        raise BuildSystemError("the daemon closed the session at once", slug="daemon-lost")
    # aiohttp keeps what came right after the 101, the start of the daemon's HTTP/2, in a private field
    received = getattr(connection.protocol, "_tail", b"")
    return transport, bytes(received)
