"""Serves build secrets: BuildKit asks for them by id when a step mounts one."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from grpclib import GRPCError, Status
from grpclib.server import Stream

from workers.engine.session.grpc import Calls, unary
from workers.engine.session.proto.secrets_pb2 import GetSecretRequest, GetSecretResponse


class Secrets:
    """`moby.buildkit.secrets.v1.Secrets`: answers with a secret's bytes, or NOT_FOUND.

    BuildKit makes NOT_FOUND an error only if the step says `required`.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = {name: base64.b64decode(value) for name, value in secrets.items()}

    def __mapping__(self) -> Calls:
        path = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
        return {path: unary(self._get_secret, GetSecretRequest, GetSecretResponse)}

    async def _get_secret(self, stream: Stream[GetSecretRequest, GetSecretResponse]) -> None:
        request = await stream.recv_message()
        name = request.ID if request is not None else ""
        if name not in self._secrets:
            raise GRPCError(Status.NOT_FOUND, f"no secret {name!r} came with this build")
        await stream.send_message(GetSecretResponse(data=self._secrets[name]))
