"""gRPC over a connection that exists already: for a session with the roles turned (the daemon calls, we serve).

grpclib opens and listens on sockets only; its protocol class takes any transport, and is private no more than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from aiohttp import ClientResponse
from google.protobuf.message import Message
from grpclib.client import Channel
from grpclib.client import Handler as Caller
from grpclib.config import Configuration
from grpclib.const import Cardinality, Handler
from grpclib.encoding.proto import ProtoCodec
from grpclib.events import _DispatchServerEvents
from grpclib.protocol import H2Protocol
from grpclib.server import Handler as Dispatcher
from h2.config import H2Configuration

from shipway.exceptions import BuildSystemError

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

    def take(self, response: ClientResponse) -> None:
        """Take over the connection of a response that switched protocols."""
        # utf-8: old daemons put file names with other letters than ASCII into headers as they are
        speech = H2Configuration(client_side=False, header_encoding="utf-8", validate_inbound_headers=False)
        _take_over(response, _Successor(self._dispatcher, Configuration().__for_server__(), speech))

    async def finish(self) -> None:
        """End the calls that still run."""
        self._dispatcher.close()
        await self._dispatcher.wait_closed()


class GrpcChannel(Channel):
    """Makes gRPC calls over the connection of a response that switched protocols: there, the daemon serves."""

    def __init__(self, response: ClientResponse) -> None:
        super().__init__()
        self._response = response

    async def _create_connection(self) -> H2Protocol:
        """Called by grpclib before a call when there is no connection (any more)."""
        protocol = _Successor(Caller(), self._config, self._h2_config)
        _take_over(self._response, protocol)
        return protocol


def _take_over(response: ClientResponse, protocol: _Successor) -> None:
    connection = response.connection
    transport = connection.transport if connection is not None else None
    if connection is None or not isinstance(transport, asyncio.Transport):
        raise BuildSystemError("the daemon closed the connection at once", slug="daemon-lost")
    # aiohttp keeps what came right after the 101, the start of the daemon's HTTP/2, in a private field
    received = bytes(getattr(connection.protocol, "_tail", b""))
    protocol.predecessor = transport.get_protocol()
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    if received:
        protocol.data_received(received)
    transport.resume_reading()
