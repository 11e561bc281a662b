"""What one service process holds for all requests: its settings and its connections, none opened yet."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from service.issuers import Issuers
from service.recent import RecentManifests
from service.standing import Standings
from shipway.queue import Queue
from shipway.settings import Settings
from shipway.storage.agents import AgentMail
from shipway.storage.audit import AuditLog
from shipway.storage.blobs import BlobStore
from shipway.storage.events import EventLog
from shipway.storage.jobs import JobStore
from shipway.storage.logins import LoginStore
from shipway.storage.pace import Pace
from shipway.storage.redis import connect
from shipway.storage.sealing import Sealer
from shipway.storage.tails import Tails
from shipway.storage.tokens import TokenStore
from shipway.storage.trends import TrendLog
from shipway.storage.trust import TrustStore
from shipway.storage.webhooks import WebhookStore
from shipway.storage.workers import WorkerRegistry


@dataclass(frozen=True, slots=True)
class Process:
    """Connections and stores; made without touching the network, so that the API's schema works offline."""

    settings: Settings
    redis: Redis
    jobs: JobStore
    agents: AgentMail
    events: EventLog
    tails: Tails
    trends: TrendLog
    workers: WorkerRegistry
    blobs: BlobStore
    recent: RecentManifests
    logins: LoginStore
    sealer: Sealer
    tokens: TokenStore
    trust: TrustStore
    issuers: Issuers
    standings: Standings
    audit: AuditLog
    webhooks: WebhookStore
    queue: Queue
    pace: Pace

    @classmethod
    def make(cls, settings: Settings) -> Process:
        """Assemble the parts from the settings."""
        redis = connect(settings.redis_url)
        blobs = BlobStore(settings.store_url, redis, settings.limits_of, settings.retention)
        sealer = Sealer(settings.secret_keys.get_secret_value())
        jobs, events = JobStore(redis, settings), EventLog(redis, blobs)
        return cls(
            settings=settings,
            redis=redis,
            jobs=jobs,
            agents=AgentMail(redis, sealer),
            events=events,
            tails=Tails(events, jobs),
            trends=TrendLog(redis),
            workers=WorkerRegistry(redis),
            blobs=blobs,
            recent=RecentManifests(),
            logins=LoginStore(redis, sealer),
            sealer=sealer,
            tokens=TokenStore(redis),
            trust=TrustStore(redis),
            issuers=Issuers(),
            standings=Standings(),
            audit=AuditLog(redis),
            webhooks=WebhookStore(redis, sealer, settings.retention),
            queue=Queue(settings.redis_url),
            pace=Pace(redis, settings.limits_of),
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self.issuers.aclose()
        await self.redis.aclose()
        self.queue.close()
