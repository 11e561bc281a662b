"""A registry names what it has: with any kind of login, and only where a user's URLs may lead."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from deploy.local.plain_http import PLAIN
from deploy.local.registry import Login, Registry
from shipway.egress import Egress
from shipway.models.credentials import RegistryLogin
from shipway.models.reference import Reference
from tests.support.faulty_registry import FaultyRegistry
from tests.support.issuer import rsa_key
from tests.support.registered import registered
from tests.support.server import HttpServer
from workers.retagging import CannotRetag, Retagging

ADA = RegistryLogin(username="ada", password="byron")
EVE = RegistryLogin(username="eve", password="byron")
HERE = "127.0.0.0/8"
DAY = dt.timedelta(days=1)


class TokenServer(HttpServer):
    """Gives ada, and nobody else, tokens that a registry takes which trusts its certificate."""

    def __init__(self) -> None:
        key = rsa_key()
        name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens")]), dt.datetime.now(dt.UTC)
        made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
        signed = made.sign(key, hashes.SHA256())
        self.certificate = signed.public_bytes(serialization.Encoding.PEM)
        chain = [base64.b64encode(signed.public_bytes(serialization.Encoding.DER)).decode()]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.headers.get("Authorization") == aiohttp.encode_basic_auth("ada", "byron")
                asked = parse_qs(urlsplit(self.path).query)
                kind, repository, actions = asked["scope"][0].split(":")
                access = [{"type": kind, "name": repository, "actions": actions.split(",") if known else []}]
                since = int(time.time()) - 5
                claims = {"iss": "tokens", "sub": "ada", "aud": asked["service"][0], "access": access}
                times = {"nbf": since, "iat": since, "exp": since + 300}
                token = jwt.encode(claims | times, key, algorithm="RS256", headers={"x5c": chain})
                body = json.dumps({"access_token": token}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(Handler)


class TokenRegistry(Registry):
    """A registry that takes a server's tokens."""

    def __init__(self, state: Path, tokens: TokenServer) -> None:
        super().__init__(state)
        self._tokens = tokens

    def _config(self) -> dict[str, object]:
        bundle = self.state / "trusted.pem"
        bundle.write_bytes(self._tokens.certificate)
        settings = {"realm": self._tokens.url, "service": "registry", "issuer": "tokens", "rootcertbundle": str(bundle)}
        return super()._config() | {"auth": {"token": settings}}


def image_in(registry: Registry) -> str:
    """Put an image of no layers into the repository `app`; returns its digest."""
    url, config = f"{registry.url}/v2/app", b"{}"
    names = {"digest": f"sha256:{hashlib.sha256(config).hexdigest()}"}
    place = httpx.post(f"{url}/blobs/uploads/", **PLAIN).raise_for_status().headers["Location"]
    httpx.put(httpx.URL(place).copy_merge_params(names), content=config, **PLAIN).raise_for_status()
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    described = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), **names}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": described, "layers": []}).encode()
    put = httpx.put(f"{url}/manifests/1", content=manifest, headers={"Content-Type": kind}, **PLAIN)
    return str(put.raise_for_status().headers["Docker-Content-Digest"])


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "registry") as server:
        yield server


def retag(registry: Registry, digest: str, login: RegistryLogin | None = None, *, allowed: str = HERE) -> None:
    name = Reference.parse(f"{registry.address}/app:2")
    asyncio.run(Retagging(Egress(allowed)).retag(name, digest, login))


def test_registry_without_a_login(plain: Registry) -> None:
    digest = image_in(plain)

    retag(plain, digest)

    assert registered(plain, "app", "2") == digest


def test_registry_that_wants_the_login_itself(plain: Registry) -> None:
    digest = image_in(plain)
    plain.child.stop()
    with Registry(plain.state, login=Login("ada", "byron")) as locked:
        for login in (None, EVE):
            with pytest.raises(CannotRetag):
                retag(locked, digest, login)

        retag(locked, digest, ADA)

        assert registered(locked, "app", "2") == digest


def test_registry_that_wants_a_token(plain: Registry) -> None:
    digest = image_in(plain)
    plain.child.stop()
    with TokenServer() as tokens, TokenRegistry(plain.state, tokens) as locked:
        for login in (None, EVE):
            with pytest.raises(CannotRetag):
                retag(locked, digest, login)

        retag(locked, digest, ADA)
    plain.start()

    assert registered(plain, "app", "2") == digest


def test_what_the_registry_has_not_got_is_not_named(plain: Registry) -> None:
    image_in(plain)

    with pytest.raises(CannotRetag, match="404"):
        retag(plain, f"sha256:{'0' * 64}")


@pytest.mark.parametrize("challenge", ['Bearer realm="https://127.0.0.1:1/",service="x"', 'Bearer service="x"', "?"])
def test_login_goes_nowhere_else(plain: Registry, challenge: str) -> None:
    digest = image_in(plain)
    with FaultyRegistry(plain.port) as gate:
        gate.fault("HEAD ", 401, headers={"WWW-Authenticate": challenge})

        with pytest.raises(CannotRetag, match=r"tokens come from|wants a login"):
            asyncio.run(Retagging(Egress(HERE)).retag(Reference.parse(f"{gate.address}/app:2"), digest, ADA))


def test_address_where_no_url_may_lead_is_not_tried_twice(plain: Registry) -> None:
    digest, retagging = image_in(plain), Retagging(Egress())
    name = Reference.parse(f"{plain.address}/app:2")

    with pytest.raises(CannotRetag, match="not a public one"):
        asyncio.run(retagging.retag(name, digest, None))
    with pytest.raises(CannotRetag, match="a while ago"):
        asyncio.run(retagging.retag(name, digest, None))
