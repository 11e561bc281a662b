"""Delivers what webhooks are due. It runs in every worker's main process, where no build waits for it.

Each receiver gets one message at a time, so that one which is slow or gone holds up nobody but itself. A worker that
dies in the middle leaves its receivers to the others after a while; a message may then come twice, with the same id.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
import structlog
from redis.exceptions import RedisError

from shipway import __version__
from shipway.egress import Egress
from shipway.exceptions import ShipwayError
from shipway.models.webhook import PING, Delivery, DeliveryState, Message, Webhook
from shipway.storage.jobs import JobStore
from shipway.storage.sealing import Sealer
from shipway.storage.webhooks import WHSEC, WebhookStore
from workers import metrics

log = structlog.get_logger(__name__)

ROUND = 1.0
"""Seconds between two looks at what is due."""
AT_ONCE = 32
"""Receivers that one worker delivers to at the same time."""
ANSWERING = 10.0
"""Seconds that a receiver may take over one message, and never more than a third of the hold."""
LONGEST = 3600.0
"""Seconds between two attempts at most."""
ATTEMPTS = 20
"""How often a message is sent; with the pauses between, that is about six hours."""


def pause(attempts: int) -> float | None:
    """Seconds until a message that failed so often is sent again; None when it is given up.

    Doubles from 1 s to an hour, with half of it at random.
    """
    if attempts >= ATTEMPTS:
        return None
    full = min(LONGEST, 2.0 ** (attempts - 1))
    return full / 2 + random.uniform(0, full / 2)  # noqa: S311  (spreads load; no secret)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message. Source: Standard Webhooks 1.0, "Signature scheme"."""
    key = base64.b64decode(secret.removeprefix(WHSEC))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


@dataclass(slots=True)
class Postman:
    """One worker's part in delivering.

    Args:
        hold: seconds after which a receiver is free for others, should this worker die.
    """

    webhooks: WebhookStore
    jobs: JobStore
    sealer: Sealer
    egress: Egress
    hold: float
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def _answering(self) -> float:
        return min(ANSWERING, self.hold / 3)

    async def run(self) -> None:
        """Deliver for ever; a round that fails is tried again."""
        connector = aiohttp.TCPConnector(socket_factory=self.egress.socket, force_close=True)
        limit = aiohttp.ClientTimeout(total=self._answering)
        async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
            while True:
                try:
                    for webhook_id in await self.webhooks.take(AT_ONCE - len(self._under_way), self.hold):
                        task = asyncio.create_task(self._serve(session, webhook_id))
                        self._under_way.add(task)
                        task.add_done_callback(self._under_way.discard)
                except (RedisError, OSError) as fault:
                    log.warning("can't look for messages to deliver", fault=repr(fault))
                await asyncio.sleep(ROUND)

    async def _serve(self, session: aiohttp.ClientSession, webhook_id: str) -> None:
        """Deliver what is due to one receiver, for as long as it is surely nobody else's."""
        until = time.monotonic() + self.hold - 2 * self._answering
        try:
            while time.monotonic() < until and (due := await self.webhooks.next_due(webhook_id)):
                found = await self.webhooks.find(webhook_id)
                if found is None:
                    return
                await self.webhooks.settle(webhook_id, await self._deliver(session, *found, due))
            await self.webhooks.release(webhook_id)
        except (RedisError, OSError) as fault:  # taken again when the hold is over
            log.warning("can't deliver to a webhook just now", webhook=webhook_id, fault=repr(fault))
        except Exception:
            log.exception("the postman stumbled", webhook=webhook_id)

    async def _deliver(self, session: aiohttp.ClientSession, webhook: Webhook, sealed: str, due: Delivery) -> Delivery:
        """Send one message once; returns what became of it."""
        try:
            message = await self._message(due)
            secret = self.sealer.unlock(sealed).decode()
        except ShipwayError as fault:
            return _failed(due, fault.message)
        if message is None:
            return due.model_copy(update={"state": DeliveryState.GIVEN_UP, "error": "the job's record is gone"})
        due = due.model_copy(update={"type": message.type, "attempts": due.attempts + 1, "at": time.time()})
        began = time.monotonic()
        status, error = await _post(session, webhook.url, secret, due.id, message)
        metrics.WEBHOOK_SECONDS.observe(time.monotonic() - began)
        due = due.model_copy(update={"status": status})
        done = _failed(due, error) if error else _delivered(due)
        metrics.WEBHOOK_MESSAGES.labels("retried" if done.next else done.state).inc()
        return done

    async def _message(self, due: Delivery) -> Message | None:
        """What is told; None when the record that it would tell of is gone."""
        if due.type == PING:
            return Message(type=PING, timestamp=datetime.fromtimestamp(time.time(), UTC).isoformat())
        job = await self.jobs.get(due.id)
        return Message.of(job) if job is not None else None


async def _post(
    session: aiohttp.ClientSession, url: str, secret: str, message_id: str, message: Message
) -> tuple[int | None, str]:
    """Returns the status, and why the attempt failed; '' when it was taken."""
    body, now = message.model_dump_json().encode(), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"shipway/{__version__}",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret, message_id, now, body),
    }
    try:
        # A redirect is an answer like any other that is not 2xx: a receiver's address is what was agreed upon.
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            return answer.status, "" if 200 <= answer.status < 300 else f"answered {answer.status}"  # noqa: PLR2004
    except TimeoutError:
        return None, f"no answer within {session.timeout.total:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as fault:
        return None, _why(fault)


def _why(fault: Exception) -> str:
    """What the one who made the webhook may know of a failed connection: not what else answers in the network."""
    cause = getattr(fault, "os_error", fault)
    if isinstance(cause, PermissionError):
        return "its address is not public; the operator can allow it by SHIPWAY_FETCH_ALLOW"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    return f"can't be reached: {type(fault).__name__}"


def _delivered(due: Delivery) -> Delivery:
    return due.model_copy(update={"state": DeliveryState.DELIVERED, "error": None, "next": None})


def _failed(due: Delivery, error: str) -> Delivery:
    wait = pause(max(1, due.attempts))
    if wait is None:
        return due.model_copy(update={"state": DeliveryState.GIVEN_UP, "error": error, "next": None})
    return due.model_copy(update={"error": error, "next": time.time() + wait})
