"""The part of `AsyncClient` that makes, lists and revokes tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shipway.client.answers import TokenList
from shipway.client.checking import validated
from shipway.client.connection import Connection
from shipway.client.paths import token_path
from shipway.models.token import Caller, NewToken, Scope, Token, TokenRequest


class Tokens:
    """Says who may do what. All but `whoami` need the scope `admin`: methods raise `Forbidden` without it."""

    _connection: Connection

    async def whoami(self) -> Caller:
        """Tell what the token of this client may do."""
        return Caller.model_validate_json((await self._connection.get("/v1/tokens/self")).content)

    async def create_token(
        self,
        name: str,
        *,
        project: str | None = None,
        scopes: Sequence[Scope | str] | None = None,
        push: Sequence[str] | None = None,
        pull: Sequence[str] | None = None,
        lifetime: float | None = None,
    ) -> NewToken:
        """Make a token; its secret is in the answer and nowhere else.

        Args:
            name: what it is for.
            project: the tenant it belongs to.
            scopes: what it may be used for; by default to read, build and push.
            push: repositories to push to, as patterns (`registry.example/team/*`); by default any.
            pull: repositories whose images may be pulled; by default any.
            lifetime: seconds until it expires; by default it never does.

        Raises:
            InvalidRequest: a value is wrong.
        """
        given = {"project": project, "scopes": scopes, "push": push, "pull": pull, "lifetime": lifetime}
        fields: dict[str, Any] = {"name": name, **{key: value for key, value in given.items() if value is not None}}
        body = validated(TokenRequest, fields).model_dump(mode="json", exclude_defaults=True)
        return NewToken.model_validate_json((await self._connection.post("/v1/tokens", json=body)).content)

    async def tokens(self) -> tuple[Token, ...]:
        """List the tokens of all projects, newest first."""
        return TokenList.model_validate_json((await self._connection.get("/v1/tokens")).content).tokens

    async def revoke_token(self, token_id: str) -> None:
        """Revoke a token; from now on no request is taken with it.

        Raises:
            NotFound: there is none of this id.
        """
        await self._connection.delete(token_path(token_id))
