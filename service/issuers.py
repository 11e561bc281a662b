"""The public keys of other issuers, as OpenID Connect Discovery 1.0 has them published.

They are kept for a while, and fetched again when a key is not among them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from shipway.exceptions import Unavailable
from shipway.models.trust import is_loopback

LIFETIME = 600.0
"""Seconds after which the keys are fetched again."""
PAUSE = 5.0
"""Seconds between two fetches, however many unknown keys are asked for."""
TIMEOUT = 5.0
MAX_BYTES = 2**20
SECRET_KIND = "oct"  # noqa: S105  (a kind of key)
"""Keys that sign and verify alike: published, they would let anybody sign."""


@dataclass(frozen=True, slots=True)
class _Keys:
    by_id: Mapping[str, PyJWK]
    fetched: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.fetched


class Issuers:
    """Fetches and keeps the keys of issuers. Only issuers that an administrator trusts are ever asked."""

    def __init__(self) -> None:
        self._kept: dict[str, _Keys] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def key(self, issuer: str, key_id: str) -> PyJWK | None:
        """The public key of an issuer with this id, or None when it publishes none such.

        Raises:
            Unavailable: the issuer can't be asked (`issuer-unavailable`).
        """
        async with self._locks[issuer]:
            kept = self._kept.get(issuer)
            if kept is None or kept.age > LIFETIME or (key_id not in kept.by_id and kept.age > PAUSE):
                kept = self._kept[issuer] = _Keys(await self._fetched(issuer), time.monotonic())
        return kept.by_id.get(key_id)

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()

    async def _fetched(self, issuer: str) -> dict[str, PyJWK]:
        try:
            described = await self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if described.get("issuer") != issuer:
                raise ValueError("it describes another issuer")  # noqa: TRY301
            url = str(described["jwks_uri"])
            if urlsplit(url).scheme != "https" and not is_loopback(urlsplit(issuer).hostname or ""):
                raise ValueError("its keys are not behind https")  # noqa: TRY301
            published = (await self._json(url))["keys"]
            return {key["kid"]: made for key in published if "kid" in key and (made := _public_key(key)) is not None}
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as fault:
            raise Unavailable(
                f"the issuer {issuer} can't be asked for its keys: {type(fault).__name__}. Try again later.",
                slug="issuer-unavailable",
            ) from fault

    async def _json(self, url: str) -> dict[str, Any]:
        async with self._client(url).stream("GET", url) as answer:
            answer.raise_for_status()
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError("its answer is too long")
        read = json.loads(body)
        if not isinstance(read, dict):
            raise TypeError("its answer is no object")
        return read

    def _client(self, url: str) -> httpx.AsyncClient:
        """One that goes through the proxy of the environment, and one for this machine that doesn't; no redirects."""
        here = is_loopback(urlsplit(url).hostname or "")
        if here not in self._clients:
            self._clients[here] = httpx.AsyncClient(timeout=TIMEOUT, trust_env=not here, follow_redirects=False)
        return self._clients[here]


def _public_key(published: Mapping[str, Any]) -> PyJWK | None:
    """A key that signs tokens; None for any other, and for kinds that are not known here."""
    if published.get("kty") == SECRET_KIND or published.get("use", "sig") != "sig":
        return None
    try:
        return PyJWK(dict(published))
    except PyJWTError:
        return None
