"""Follows a job's events over as many connections as it takes, each event once and in order."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from shipway.client.connection import Backoff, Connection, may_pass
from shipway.client.ground import Answer, Request
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


Batches = AsyncGenerator[list[ServerSentEvent], None]
"""Messages as they come; a batch without any is a sign of life."""


async def batches(answer: Answer) -> Batches:
    """Yield the messages of an answer; closes it."""
    parser = SseParser()
    try:
        async for chunk in answer.chunks:
            yield list(parser.feed(chunk))
    finally:
        await answer.close()


class Follower:
    """Yields the events of one job that come after a number, as JSON.

    Args:
        connection: to the service.
        path: URL path of the job.
        after: number of the last event already seen; 0 for none.
        read_job: reads the job's record, to tell "ended before" from "connection lost".
        patience: seconds to keep trying without any connection.
        stream: what the service began to tell already; it ends with the record.

    Attributes:
        record: the job's record at its end, if a stream told it.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        *,
        after: int,
        read_job: Callable[[], Awaitable[Job]],
        patience: float = PATIENCE,
        stream: Batches | None = None,
    ) -> None:
        self.record: dict[str, Any] | None = None
        self._stream = stream
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
        begun, self._stream = self._stream, None
        async with aclosing(begun or await self._open()) as stream:
            async for batch in stream:
                self._last_contact = time.monotonic()
                for message in batch:
                    event = self._accept(message)
                    if event is not None:
                        yield event
                    if self._ended and (begun is None or self.record is not None):
                        return

    async def _open(self) -> Batches:
        headers = FOLLOWING | ({"Last-Event-ID": str(self._after)} if self._after else {})
        return batches(await self._connection.open(Request("GET", f"{self._path}/events", headers, patience=SILENCE)))

    def _accept(self, message: ServerSentEvent) -> dict[str, Any] | None:
        """Read one message; None for one seen before, and for the record."""
        if message.event == RECORD:
            record = read_record(message)
            self.record = record if record.get("state") in _FINAL else None
            return None
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


def read_record(message: ServerSentEvent) -> dict[str, Any]:
    """Read a record's JSON.

    Raises:
        ClientError: `unexpected-answer`.
    """
    try:
        record = json.loads(message.data)
    except (ValueError, RecursionError):
        record = None
    if message.event != RECORD or not isinstance(record, dict) or not isinstance(record.get("id"), str):
        raise ClientError("the service sent a record that can't be read", slug="unexpected-answer")
    return record


def unreadable(seq: int, path: str) -> ClientError:
    """What is told of an event that makes no sense here."""
    return ClientError(
        f"event {seq} of {path} can't be read; is this client older than the service?", slug="unexpected-answer"
    )


def _number(message: ServerSentEvent) -> int:
    if not message.id.isdecimal():
        raise ClientError(f"the service sent an event without a number: {message.id!r}", slug="unexpected-answer")
    return int(message.id)
