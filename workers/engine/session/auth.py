"""Serves registry logins: BuildKit asks for them by host when a registry wants one."""

from __future__ import annotations

from collections.abc import Mapping

from grpclib.server import Stream

from shipway.models.credentials import RegistryLogin
from workers.engine.logins import TOKEN_USER, login_for
from workers.engine.session.grpc import Calls, unary
from workers.engine.session.proto.auth_pb2 import CredentialsRequest, CredentialsResponse


class Auth:
    """`moby.filesync.v1.Auth`: answers with the login for a host, or an empty one."""

    def __init__(self, logins: Mapping[str, RegistryLogin]) -> None:
        self._logins = logins

    def __mapping__(self) -> Calls:
        path = "/moby.filesync.v1.Auth/Credentials"
        return {path: unary(self._credentials, CredentialsRequest, CredentialsResponse)}

    async def _credentials(self, stream: Stream[CredentialsRequest, CredentialsResponse]) -> None:
        request = await stream.recv_message()
        login = login_for(request.Host, self._logins) if request is not None else None
        reply = CredentialsResponse()
        if login is not None:
            # An identity token goes without a name, as docker's own client sends it.
            name = "" if login.username == TOKEN_USER else login.username
            reply = CredentialsResponse(Username=name, Secret=login.password)
        await stream.send_message(reply)
