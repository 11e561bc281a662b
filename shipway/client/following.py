"""Follows a job's events over as many connections as it takes, each event once and in order."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import httpx
from pydantic import ValidationError

from shipway.client.connection import Backoff, Connection, may_pass
from shipway.client.refusals import unreachable
from shipway.client.sse import ServerSentEvent, SseParser
from shipway.exceptions import ClientError, ShipwayError
from shipway.models.event import Event, StateChanged, Unknown
from shipway.models.job import Job, JobState

SILENCE = 45.0
"""Seconds without a byte after which a connection counts as dead; the service sends a comment every 10 s."""
PATIENCE = 120.0
"""Seconds without any connection after which following is given up."""
_FINAL = frozenset(state for state in JobState if state.final)


def is_final(event: Event) -> bool:
    """Whether no event can follow this one."""
    return isinstance(event.body, StateChanged) and event.body.state in _FINAL


class Follower:
    """Yields the events of one job that come after a number.

    Args:
        connection: to the service.
        path: URL path of the job.
        after: number of the last event already seen; 0 for none.
        read_job: reads the job's record, to tell "ended before" from "connection lost".
        patience: seconds to keep trying without any connection.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        *,
        after: int,
        read_job: Callable[[], Awaitable[Job]],
        patience: float = PATIENCE,
    ) -> None:
        self._connection = connection
        self._path = path
        self._after = after
        self._read_job = read_job
        self._patience = patience
        self._ended = False
        self._last_contact = 0.0

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield until the final event.

        Raises:
            NotFound: there is no such job.
            ClientError: `service-unreachable`, after `patience` seconds without a connection.
        """
        backoff = Backoff()
        self._last_contact = time.monotonic()
        while not self._ended:
            before = self._after
            try:
                async with aclosing(self._one_connection()) as events:
                    async for event in events:
                        yield event
                        backoff.reset()
                if self._after == before:
                    await self._check_for_end()
            except ShipwayError as fault:
                if not may_pass(fault) or time.monotonic() - self._last_contact > self._patience:
                    raise
            if not self._ended:
                await backoff.pause()

    async def _check_for_end(self) -> None:
        """A connection that ended without one event: was the last one seen already?"""
        job = await self._read_job()
        self._ended = job.state.final and self._after >= job.events

    async def _one_connection(self) -> AsyncGenerator[Event, None]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._after:
            headers["Last-Event-ID"] = str(self._after)
        response = await self._connection.open(f"{self._path}/events", headers=headers, read_timeout=SILENCE)
        parser = SseParser()
        try:
            async for chunk in response.aiter_bytes():
                self._last_contact = time.monotonic()
                for message in parser.feed(chunk):
                    event = self._accept(message)
                    if event is not None:
                        yield event
                    if self._ended:
                        return
        except httpx.TransportError as fault:
            raise unreachable(self._connection.url, fault) from fault
        finally:
            await response.aclose()

    def _accept(self, message: ServerSentEvent) -> Event | None:
        """Read one message; None for one seen before, or of a type that only a newer client knows."""
        seq = _number(message)
        if seq <= self._after:
            return None
        self._after = seq
        try:
            event = Event.model_validate_json(message.data)
        except ValidationError as fault:
            raise ClientError(
                f"event {seq} of {self._path} can't be read; is this client older than the service?",
                slug="unexpected-answer",
            ) from fault
        self._ended = is_final(event)
        return None if isinstance(event.body, Unknown) else event


def _number(message: ServerSentEvent) -> int:
    if not message.id.isdecimal():
        raise ClientError(f"the service sent an event without a number: {message.id!r}", slug="unexpected-answer")
    return int(message.id)
