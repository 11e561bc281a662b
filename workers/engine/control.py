"""BuildKit's own API, past Docker's: what `POST /build` has no words for: further contexts, attestations.

`POST /grpc` asks the daemon to switch to HTTP/2 on the same connection, as buildx does. Sources: moby
`api/server/router/grpc`, buildkit `api/services/control/control.proto`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from grpclib.client import Channel
from grpclib.const import Cardinality

from workers.engine.api import DaemonApi
from workers.engine.session.grpc import GrpcChannel
from workers.engine.session.proto.control_pb2 import SolveRequest, SolveResponse, StatusRequest, StatusResponse

SERVICE = "/moby.buildkit.v1.Control"


class Control:
    """`moby.buildkit.v1.Control`. Every call raises `GRPCError` when BuildKit answers with an error."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def solve(self, request: SolveRequest) -> SolveResponse:
        """Build to the end; cancelling the task that awaits this stops the build."""
        call = self._channel.request(f"{SERVICE}/Solve", Cardinality.UNARY_UNARY, SolveRequest, SolveResponse)
        async with call as stream:
            await stream.send_message(request, end=True)
            return await stream.recv_message() or SolveResponse()

    async def status(self, ref: str) -> AsyncIterator[StatusResponse]:
        """Yield what happens in a build until it ends; BuildKit waits some seconds for one that has yet to begin."""
        call = self._channel.request(f"{SERVICE}/Status", Cardinality.UNARY_STREAM, StatusRequest, StatusResponse)
        async with call as stream:
            await stream.send_message(StatusRequest(Ref=ref), end=True)
            async for response in stream:
                yield response


@asynccontextmanager
async def open_control(api: DaemonApi) -> AsyncIterator[Control]:
    """Open a connection for calls to BuildKit."""
    response = await api.upgrade("grpc", [("Connection", "Upgrade"), ("Upgrade", "h2c")])
    try:
        with closing(GrpcChannel(response)) as channel:
            yield Control(channel)
    finally:
        response.close()
