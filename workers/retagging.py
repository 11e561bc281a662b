"""Gives an image that a registry has another name in its repository. The registry does so by itself, without a daemon.

What a daemon knows of registries (private authorities, insecure ones, mirrors, proxies) is not known here: where plain
HTTPS (HTTP on this machine) to an address that the operator lets users' URLs lead to does not do, a daemon has to.

Protocols: OCI distribution specification 1.1, pulling and pushing manifests; the distribution project's token
authentication.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

import aiohttp
from pydantic import BaseModel, ValidationError

from shipway.egress import Egress
from shipway.models.credentials import RegistryLogin
from shipway.models.reference import DEFAULT_DOMAIN, Reference
from shipway.models.trust import is_loopback

HUB = "registry-1.docker.io"
"""Where the images of `docker.io` are."""
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
AUTHORIZATION = "Authorization"
UNAUTHORIZED = 401
MAX_MANIFEST = 4 * 2**20
"""Bytes; registries need not take more."""
MAX_ANSWER = 2**20
"""Bytes of a token server's answer."""
CONNECTING = 2.0
"""Seconds to wait for a connection: a registry that only a daemon can reach should not hold up a build."""
AWAY = 600.0
"""Seconds in which it is not tried again."""
LIMIT = 10.0
"""Seconds that all of it may take."""
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class CannotRetag(Exception):
    """A registry did not name an image; a daemon may be able to."""


class Retagging:
    """Names images in registries.

    Args:
        egress: where connections may go.
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._away: dict[str, float] = {}

    async def retag(self, tag: Reference, digest: str, login: RegistryLogin | None) -> None:
        """Let a tag name what its repository has by a digest.

        Args:
            tag: the new name.
            digest: of the manifest, `sha256:…`.
            login: for the registry.

        Raises:
            CannotRetag: the registry can't be reached so, or could not be a while ago; it hasn't got the manifest, or
                refuses.
        """
        if time.monotonic() < self._away.get(tag.domain, 0.0):
            raise CannotRetag("it could not be reached a while ago")
        connector = aiohttp.TCPConnector(socket_factory=self._egress.socket)
        limits = aiohttp.ClientTimeout(total=LIMIT, sock_connect=CONNECTING)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=limits) as http:
                repository = _Repository(http, tag, login)
                manifest, kind = await repository.manifest(digest)
                await repository.put(str(tag.tag), manifest, kind)
        except (aiohttp.ClientError, OSError, ValueError) as fault:  # TimeoutError is an OSError
            self._away[tag.domain] = time.monotonic() + AWAY
            raise CannotRetag(repr(fault)) from fault


class _Token(BaseModel):
    """What a token server answers: by either name, says the specification."""

    token: str = ""
    access_token: str = ""


class _Repository:
    """One repository of a registry."""

    def __init__(self, http: aiohttp.ClientSession, name: Reference, login: RegistryLogin | None) -> None:
        host = HUB if name.domain == DEFAULT_DOMAIN else name.domain
        here = is_loopback(urlsplit(f"//{host}").hostname or "")
        self._scheme = "http" if here else "https"  # as daemons do it
        self._url = f"{self._scheme}://{host}/v2/{name.path}/manifests/"
        self._http = http
        self._name = name
        self._login = {AUTHORIZATION: aiohttp.encode_basic_auth(login.username, login.password)} if login else {}
        self._authorization: Mapping[str, str] = {}

    async def manifest(self, digest: str) -> tuple[bytes, str]:
        """Read a manifest; returns it and its media type."""
        async with self._asked("HEAD", digest, {"Accept": MANIFESTS}) as answer:
            if answer.status == UNAUTHORIZED:
                await self._authorise(answer.headers.get("WWW-Authenticate", ""))
        async with self._asked("GET", digest, {"Accept": MANIFESTS}) as answer:
            return await self._read(answer, digest)

    async def put(self, tag: str, manifest: bytes, kind: str) -> None:
        """Put a manifest under a tag."""
        async with self._asked("PUT", tag, {"Content-Type": kind}, manifest) as answer:
            if not answer.ok:
                raise CannotRetag(f"it answers {answer.status}")

    def _asked(
        self, method: str, what: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {**headers, **self._authorization}
        return self._http.request(method, self._url + what, headers=headers, data=body, allow_redirects=False)

    async def _read(self, answer: aiohttp.ClientResponse, digest: str) -> tuple[bytes, str]:
        manifest = await _up_to(answer, MAX_MANIFEST)
        if not answer.ok or f"sha256:{hashlib.sha256(manifest).hexdigest()}" != digest:
            raise CannotRetag(f"it answers {answer.status} to the question for {digest}")
        return manifest, answer.headers.get("Content-Type", "")

    async def _authorise(self, challenge: str) -> None:
        """Do what the registry asks for: send the login itself, or get a token for it first."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and self._login:
            self._authorization = self._login
        elif scheme.lower() == "bearer":
            self._authorization = {AUTHORIZATION: f"Bearer {await self._token(dict(_PARAMETER.findall(rest)))}"}
        else:
            raise CannotRetag("it wants a login")

    async def _token(self, asked: Mapping[str, str]) -> str:
        realm = asked.get("realm", "")
        if urlsplit(realm).scheme != self._scheme:  # a login does not go where the registry's own would not have gone
            raise CannotRetag(f"its tokens come from {realm[:200]!r}")
        query = {"service": asked.get("service", ""), "scope": f"repository:{self._name.path}:pull,push"}
        async with self._http.get(realm, params=query, headers=self._login, allow_redirects=False) as answer:
            told = await _up_to(answer, MAX_ANSWER)
            if not answer.ok:
                raise CannotRetag(f"its token server answers {answer.status}")
        try:
            token = _Token.model_validate_json(told)
        except ValidationError as fault:
            raise CannotRetag("its token server answers with no token") from fault
        return token.token or token.access_token


async def _up_to(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The first bytes of an answer's body."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])
