"""Assemble the service: `uvicorn --factory service.main:create_app`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import service.errors
from service.console import pages
from service.handlers import (
    agents,
    artifacts,
    audit,
    builds,
    contexts,
    health,
    images,
    jobs,
    moves,
    registries,
    tokens,
    trust,
    webhooks,
    workers,
)
from service.hardening import Hardened
from service.middleware import Identified, Measured
from service.openapi import Described
from service.process import Process
from service.tracing import Traced
from shipway import __version__, logs
from shipway.cycles import look_seldom
from shipway.settings import Settings
from shipway.telemetry import traces

PART = "shipway-service"
"""Its name in traces."""
FLUSH = 2.0
"""Seconds that the last traces may hold up the end."""
DESCRIPTION = (
    "Builds container images on the machines that have Docker. Upload a context, start a build, follow its "
    'events. Every error has the same shape: `{"error": {"slug", "message", "field", "step", "retryable"}}`.'
)

PARTS = (
    *(contexts, builds, artifacts, moves, jobs, agents, images, registries, workers),
    *(tokens, trust, webhooks, audit, health, pages),
)
"""Everything that has routes."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the app; needs no running parts, so that its schema can be read offline."""
    logs.configure()
    process = Process.make(settings or Settings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        look_seldom()
        yield
        await process.aclose()
        await asyncio.to_thread(traces(PART).flush, FLUSH)

    app = Described(
        title="Shipway",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        # Their pages load scripts from elsewhere, and a browser has no token to read the description with.
        docs_url=None,
        redoc_url=None,
    )
    app.state.process = process
    service.errors.install(app)
    app.add_middleware(Identified, process=process)
    app.add_middleware(Hardened, stall=process.settings.http_stall)
    app.add_middleware(Traced, traces=traces(PART))
    app.add_middleware(Measured)  # the outermost: what is refused counts
    for part in PARTS:
        app.include_router(part.router)
    app.mount("/static", pages.static)
    return app
