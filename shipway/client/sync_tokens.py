"""`shipway.client.tokens` for code without asyncio."""

from __future__ import annotations

from collections.abc import Sequence

from shipway.client.aio import AsyncClient
from shipway.client.portal import Portal
from shipway.models.token import Caller, NewToken, Scope, Token


class SyncTokens:
    """`Tokens` for code without asyncio: the same names, arguments and errors."""

    _client: AsyncClient
    _portal: Portal

    def whoami(self) -> Caller:
        """See `AsyncClient.whoami`."""
        return self._portal.run(self._client.whoami())

    def create_token(
        self,
        name: str,
        *,
        project: str | None = None,
        scopes: Sequence[Scope | str] | None = None,
        push: Sequence[str] | None = None,
        pull: Sequence[str] | None = None,
        lifetime: float | None = None,
    ) -> NewToken:
        """See `AsyncClient.create_token`."""
        return self._portal.run(
            self._client.create_token(name, project=project, scopes=scopes, push=push, pull=pull, lifetime=lifetime)
        )

    def tokens(self) -> tuple[Token, ...]:
        """See `AsyncClient.tokens`."""
        return self._portal.run(self._client.tokens())

    def revoke_token(self, token_id: str) -> None:
        """See `AsyncClient.revoke_token`."""
        self._portal.run(self._client.revoke_token(token_id))
