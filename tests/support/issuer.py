"""An issuer of identities on loopback, as OpenID Connect Discovery describes one, with keys that can be changed."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support.server import HttpServer

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Issuer(HttpServer):
    """Publishes the keys in `published`, by their id, and signs with any key."""

    def __init__(self) -> None:
        self.asked = 0
        self.job: tuple[str, dict[str, Any]] | None = None  # what a job shows to be given a token, and its claims
        self.given = 0
        self.lifetime = 300.0
        self.keys: dict[str, PrivateKey] = {"first": rsa_key()}
        self.more: list[dict[str, Any]] = []
        super().__init__(self._handler())
        self.names = self.url

    def token(self, key_id: str = "first", key: PrivateKey | None = None, /, **claims: Any) -> str:
        """A token for a CI job; a claim of None is left out."""
        signing = key or self.keys[key_id]
        said = {"iss": self.url, "aud": "shipway", "sub": "repo:team/app", "exp": time.time() + self.lifetime, **claims}
        return jwt.encode(
            {name: value for name, value in said.items() if value is not None},
            signing,
            algorithm=_algorithm(signing),
            headers={"kid": key_id},
        )

    @property
    def published(self) -> list[dict[str, Any]]:
        """The public keys, as JSON Web Keys."""
        return [_public(key_id, key) for key_id, key in self.keys.items()] + self.more

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url, job = urlsplit(self.path), issuer.job
                if url.path == "/job" and job and self.headers["Authorization"] == f"Bearer {job[0]}":
                    issuer.given += 1
                    audience = parse_qs(url.query)["audience"][0]
                    answer: dict[str, Any] = {"value": issuer.token(aud=audience, **job[1])}
                elif self.path == "/job":
                    self.send_error(403)
                    return
                elif self.path == "/keys":
                    issuer.asked += 1
                    answer = {"keys": issuer.published}
                else:
                    answer = {"issuer": issuer.names, "jwks_uri": f"{issuer.url}/keys"}
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _algorithm(key: PrivateKey) -> str:
    return "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"


def _public(key_id: str, key: PrivateKey) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        made = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        made = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**made, "kid": key_id, "use": "sig", "alg": _algorithm(key)}
