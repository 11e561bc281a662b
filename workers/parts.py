"""What jobs work with: connections that belong to one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shipway.egress import Egress
from shipway.storage.agents import AgentMail
from shipway.storage.answers import AnswerStore
from shipway.storage.blobs import BlobStore
from shipway.storage.events import EventLog
from shipway.storage.flights import FlightStore
from shipway.storage.jobs import JobStore
from shipway.storage.lineages import LineageStore
from shipway.storage.logins import LoginStore
from shipway.storage.redis import connect
from shipway.storage.sealing import Sealer
from shipway.storage.steps import StepLog
from shipway.storage.trends import TrendLog
from shipway.telemetry import Traces, traces
from workers.content import Content
from workers.engine import Engine
from workers.inventory import Inventory
from workers.retagging import Retagging
from workers.settings import WorkerSettings

PART = "shipway-worker"
"""Its name in traces."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Connections and stores for one job after the other."""

    settings: WorkerSettings
    jobs: JobStore
    agents: AgentMail
    events: EventLog
    answers: AnswerStore
    flights: FlightStore
    lineages: LineageStore
    steps: StepLog
    trends: TrendLog
    blobs: BlobStore
    content: Content
    egress: Egress
    retagging: Retagging
    inventory: Inventory
    logins: LoginStore
    sealer: Sealer
    engine: Engine
    traces: Traces

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: WorkerSettings) -> AsyncIterator[Parts]:
        """Open the parts on the running event loop."""
        redis = connect(settings.redis_url)
        try:
            async with Engine(settings.docker_host, settings.step_limits) as engine:
                blobs = BlobStore(settings.store_url, redis, settings.limits_of, settings.retention)
                sealer = Sealer(settings.secret_keys.get_secret_value())
                egress = Egress(settings.fetch_allow)
                yield cls(
                    settings=settings,
                    jobs=JobStore(redis, settings),
                    agents=AgentMail(redis, sealer),
                    events=EventLog(redis, blobs),
                    answers=AnswerStore(redis, settings.retention),
                    flights=FlightStore(redis, settings),
                    lineages=LineageStore(redis, settings.retention),
                    steps=StepLog(redis, settings.retention),
                    trends=TrendLog(redis),
                    blobs=blobs,
                    content=Content(
                        blobs, settings.worker_cache, settings.worker_cache_bytes, egress, settings.limits_of
                    ),
                    egress=egress,
                    retagging=Retagging(egress),
                    inventory=Inventory(redis, settings.worker_name, engine),
                    logins=LoginStore(redis, sealer),
                    sealer=sealer,
                    engine=engine,
                    traces=traces(PART),
                )
        finally:
            await redis.aclose()
