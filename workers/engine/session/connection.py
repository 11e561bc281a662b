"""Opens a BuildKit session: a connection over which the daemon asks its client for what a build needs.

`POST /session` asks the daemon to switch to HTTP/2 on the same connection; the headers name the session and
the methods it serves. Sources: moby `builder/builder-next` and buildkit `session/grpchijack`, `session/manager.go`.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from grpclib.health.service import Health

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
        grpc.take(response)
        yield identity
    finally:
        response.close()
        await grpc.finish()
