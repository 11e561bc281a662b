"""gRPC over a connection that exists already, with the roles turned: the daemon calls, we serve.

grpclib listens on sockets only; its protocol class serves any transport, and is private no more than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from google.protobuf.message import Message
from grpclib.config import Configuration
from grpclib.const import Cardinality, Handler
from grpclib.encoding.proto import ProtoCodec
from grpclib.events import _DispatchServerEvents
from grpclib.protocol import H2Protocol
from grpclib.server import Handler as Dispatcher
from h2.config import H2Configuration

Calls = Mapping[str, Handler]
"""gRPC method paths (`/package.Service/Method`) and what serves them."""


class Service(Protocol):
    """Serves some gRPC methods."""

    def __mapping__(self) -> Calls:
        """Return the methods it serves."""
        ...


Serve = Callable[[Any], Awaitable[None]]


def unary(serve: Serve, request: type[Message], reply: type[Message]) -> Handler:
    """One request, one reply."""
    return Handler(serve, Cardinality.UNARY_UNARY, request, reply)


def streaming(serve: Serve, request: type[Message], reply: type[Message]) -> Handler:
    """Messages in both directions at the same time."""
    return Handler(serve, Cardinality.STREAM_STREAM, request, reply)


class _Successor(H2Protocol):
    """Tells the protocol it took the transport from when that closes: aiohttp waits for it when its pool closes."""

    predecessor: asyncio.BaseProtocol

    def connection_lost(self, exc: Exception | None) -> None:  # type: ignore[override]
        super().connection_lost(exc)
        self.predecessor.connection_lost(exc)


class GrpcConnection:
    """Serves gRPC calls that come in over one connection, until it closes."""

    def __init__(self, services: Iterable[Service]) -> None:
        calls = {path: handler for service in services for path, handler in service.__mapping__().items()}
        self.methods = tuple(calls)
        self._dispatcher = Dispatcher(calls, ProtoCodec(), None, _DispatchServerEvents())

    def take(self, transport: asyncio.Transport, received: bytes) -> None:
        """Take over a transport; `received` are bytes that came before this moment."""
        # utf-8: old daemons put file names with other letters than ASCII into headers as they are
        speech = H2Configuration(client_side=False, header_encoding="utf-8", validate_inbound_headers=False)
        protocol = _Successor(self._dispatcher, Configuration().__for_server__(), speech)
        protocol.predecessor = transport.get_protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if received:
            protocol.data_received(received)
        transport.resume_reading()

    async def finish(self) -> None:
        """End the calls that still run."""
        self._dispatcher.close()
        await self._dispatcher.wait_closed()
