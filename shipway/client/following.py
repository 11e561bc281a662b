"""Follows a job's events over as many connections as it takes, each event once and in order."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from shipway.client.connection import Backoff, Connection, may_pass
from shipway.client.ground import Request
from shipway.client.sse import ServerSentEvent, SseParser
from shipway.exceptions import ClientError, ShipwayError
from shipway.models.states import JobState

if TYPE_CHECKING:
    from shipway.models.job import Job

SILENCE = 45.0
"""Seconds without a byte after which a connection counts as dead; the service sends a comment every 10 s."""
PATIENCE = 120.0
"""Seconds without any connection after which following is given up."""
RECORD = "job"
"""Type of the messages that are no events: the record at that moment. They have no number of their own."""
FOLLOWING = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
"""Headers of a request whose answer is a stream of events."""
_FINAL = frozenset(str(state) for state in JobState if state.final)


class Follower:
    """Yields the events of one job that come after a number, as JSON.

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

    async def events(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield until the final event.

        Raises:
            NotFound: there is no such job.
            ClientError: `service-unreachable`, after `patience` seconds without a connection; `unexpected-answer`.
        """
        backoff = Backoff(self._connection.ground)
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
        self._ended = job.state in _FINAL and self._after >= job.events

    async def _one_connection(self) -> AsyncGenerator[dict[str, Any], None]:
        headers = FOLLOWING | ({"Last-Event-ID": str(self._after)} if self._after else {})
        answer = await self._connection.open(Request("GET", f"{self._path}/events", headers, patience=SILENCE))
        parser = SseParser()
        try:
            async for chunk in answer.chunks:
                self._last_contact = time.monotonic()
                for message in parser.feed(chunk):
                    event = self._accept(message)
                    if event is not None:
                        yield event
                    if self._ended:
                        return
        finally:
            await answer.close()

    def _accept(self, message: ServerSentEvent) -> dict[str, Any] | None:
        """Read one message; None for one seen before."""
        seq = _number(message)
        if seq <= self._after:
            return None
        self._after = seq
        event = read_event(message.data, seq, self._path)
        body = event["body"]
        self._ended = body["type"] == "state" and body.get("state") in _FINAL
        return event


def read_event(text: str, seq: int, path: str) -> dict[str, Any]:
    """Read an event's JSON.

    Raises:
        ClientError: `unexpected-answer`.
    """
    try:
        event: dict[str, Any] = json.loads(text)
        if isinstance(event["body"]["type"], str):
            return event
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise unreadable(seq, path)


def unreadable(seq: int, path: str) -> ClientError:
    """What is told of an event that makes no sense here."""
    return ClientError(
        f"event {seq} of {path} can't be read; is this client older than the service?", slug="unexpected-answer"
    )


def _number(message: ServerSentEvent) -> int:
    if not message.id.isdecimal():
        raise ClientError(f"the service sent an event without a number: {message.id!r}", slug="unexpected-answer")
    return int(message.id)
