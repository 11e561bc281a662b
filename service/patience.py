"""Closes connections on which the head of a request does not come: uvicorn itself waits for ever.

Start it with `uvicorn --http service.patience:Patient`. Of a head that has not ended, 64 KiB are
read at most, which is h11's own limit.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from shipway.settings import settings


class Patient(H11Protocol):
    """A connection that is closed after `SHIPWAY_HTTP_STALL` seconds in which a head has not become whole."""

    _giving_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cease()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Wait from the first byte of a head to its last; a connection that is idle is uvicorn's affair."""
        if self.conn.their_state is not h11.IDLE:
            self._cease()
        elif self._giving_up is None:
            self._giving_up = self.loop.call_later(settings().http_stall, self.transport.close)

    def _cease(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
