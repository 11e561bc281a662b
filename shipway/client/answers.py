"""What the service answers, where no model of its own exists."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shipway.models.image import HistoryEntry, ImageOnWorker
from shipway.models.job import Job
from shipway.models.token import Token
from shipway.models.webhook import Delivery, Webhook
from shipway.models.worker import Worker


class JobPage(BaseModel):
    """Some jobs, newest first."""

    model_config = ConfigDict(frozen=True)

    jobs: tuple[Job, ...]
    next: str | None = Field(None, description="pass as `before` to get the next page; null at the end")


class WorkerList(BaseModel):
    """The workers that are alive."""

    model_config = ConfigDict(frozen=True)

    workers: tuple[Worker, ...]


class JobSet(BaseModel):
    """One job for each worker."""

    model_config = ConfigDict(frozen=True)

    jobs: tuple[Job, ...]


class ImageList(BaseModel):
    """Images, one entry for each worker that has one."""

    model_config = ConfigDict(frozen=True)

    images: tuple[ImageOnWorker, ...]


class TokenList(BaseModel):
    """Tokens without their secrets, newest first."""

    model_config = ConfigDict(frozen=True)

    tokens: tuple[Token, ...]


class WebhookList(BaseModel):
    """Webhooks without their secrets, oldest first."""

    model_config = ConfigDict(frozen=True)

    webhooks: tuple[Webhook, ...]


class DeliveryList(BaseModel):
    """What was sent to a webhook, newest first."""

    model_config = ConfigDict(frozen=True)

    deliveries: tuple[Delivery, ...]


class RegistryList(BaseModel):
    """Registries that there is a login for, by host."""

    model_config = ConfigDict(frozen=True)

    registries: tuple[str, ...]


class History(BaseModel):
    """How an image came about, newest line first."""

    model_config = ConfigDict(frozen=True)

    image: str
    history: tuple[HistoryEntry, ...]
