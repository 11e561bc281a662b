"""CI jobs without a secret: tokens of another issuer count by the rules, and in no other way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploy.local.plain_http import PLAIN
from deploy.local.servers import authorization
from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from service.issuers import PAUSE
from tests.integration.contexts import once
from tests.integration.http_api import HttpApi, refusal
from tests.support.issuer import Issuer, ec_key, rsa_key

pytestmark = pytest.mark.engine_independent

PROJECT = "keyless"
RULE: dict[str, Any] = {
    "name": "the CI of a team",
    "project": PROJECT,
    "scopes": ["read", "build"],
    "audience": "shipway",
    "claims": {"sub": "repo:team/*", "ref": "refs/heads/**", "protected": "true"},
}
CLAIMS = {"ref": "refs/heads/release/1", "protected": True}


@pytest.fixture(scope="module")
def issuer(stack: Stack) -> Iterator[Issuer]:
    """An issuer that a rule trusts."""
    with Issuer() as running, HttpApi(stack.service.url, stack.token) as api:
        made = api.http.post("/v1/trust", json={**RULE, "issuer": running.url})
        assert made.status_code == 201, made.text
        yield running


@pytest.fixture
def ask(stack: Stack) -> Iterator[Any]:
    """Asks the service who one is, by a token."""
    with httpx.Client(base_url=stack.service.url, **PLAIN, timeout=20) as client:
        yield lambda token: client.get("/v1/tokens/self", headers=authorization(token))


def test_token_of_a_trusted_issuer_has_the_rights_of_the_rule(issuer: Issuer, stack: Stack, ask: Any) -> None:
    token = issuer.token(**CLAIMS)

    told = ask(token)

    assert told.status_code == 200, told.text
    assert (told.json()["project"], told.json()["scopes"]) == (PROJECT, ["read", "build"])
    assert told.json()["who"] == f"{issuer.url} repo:team/app"
    with HttpApi(stack.service.url, token) as api:
        assert api.http.get("/v1/jobs").json()["jobs"] == []
        assert refusal(api.http.get("/v1/tokens")) == (403, "scope-missing")


@pytest.mark.parametrize(
    ("claims", "slug"),
    [
        ({"exp": 1}, "token-expired"),
        ({"exp": None}, "token-invalid"),
        ({"nbf": 2**33, "exp": 2**34}, "token-invalid"),
        ({"aud": "another"}, "token-invalid"),
        ({"aud": None}, "token-invalid"),
        ({"aud": ["another", "shipway/"]}, "token-invalid"),
        ({"iss": "http://127.0.0.1:9"}, "token-invalid"),
        ({"iss": None}, "token-invalid"),
        ({"sub": "repo:other/app"}, "token-invalid"),
        ({"sub": "repo:team/app/deep"}, "token-invalid"),
        ({"sub": None}, "token-invalid"),
        ({"ref": "refs/tags/1"}, "token-invalid"),
        ({"ref": None}, "token-invalid"),
        ({"ref": {"refs/heads/a": 1}}, "token-invalid"),
        ({"protected": False}, "token-invalid"),
    ],
    ids=str,
)
def test_token_that_says_anything_else_is_refused(issuer: Issuer, ask: Any, claims: dict[str, Any], slug: str) -> None:
    assert refusal(ask(issuer.token(**{**CLAIMS, **claims}))) == (401, slug)


def test_audience_may_be_one_of_several(issuer: Issuer, ask: Any) -> None:
    assert ask(issuer.token(**CLAIMS, aud=["another", "shipway"])).status_code == 200


def test_signature_by_any_other_key_is_refused(issuer: Issuer, ask: Any) -> None:
    genuine = issuer.token(**CLAIMS)
    head, body, signature = genuine.split(".")
    nameless = json.dumps({"iss": ["a"]}).encode()
    forged = json.dumps({**json.loads(_decoded(body)), "sub": "repo:team/stolen"}).encode()
    public = issuer.keys["first"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secrets = [public, public.strip(), b"", b"secret", json.dumps(issuer.published[0]).encode()]
    for token in [
        issuer.token("first", rsa_key(), **CLAIMS),
        issuer.token("first", ec_key(), **CLAIMS),
        issuer.token("unknown", rsa_key(), **CLAIMS),
        f"{head}.{_encoded(forged)}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-8]}",
        f"{_encoded(b'{}')}.{body}.{signature}",
        *(f"{_head(alg='none', kid='first')}.{body}.{end}" for end in ("", signature)),
        *(f"{_head(alg='nOnE', kid='first')}.{body}.{end}" for end in ("", signature)),
        *(_by_secret(_head(alg="HS256", kid="first"), body, secret) for secret in secrets),
        _by_secret(_head(alg="HS256", kid="shared"), body, b"secret"),
        f"{_head(alg='RS256', kid='first', jwk=issuer.published[0], jku='http://127.0.0.1:9/')}.{body}.{signature}",
        f"{_head(alg='PS256', kid='first')}.{body}.{signature}",
        f"{_head(alg='RS256', kid=['first'])}.{body}.{signature}",
        f"{_head(alg='RS256')}.{body}.{signature}",
        *(
            "..",
            "a.b.c",
            f"{head}..{signature}",
            f"{head}.{_encoded(b'[]')}.{signature}",
            f"{head}.{_encoded(nameless)}.",
            "x" * 20_000 + "..",
        ),
    ]:
        assert refusal(ask(token)) == (401, "token-invalid"), token
    assert ask(genuine).status_code == 200


def test_shared_secret_that_an_issuer_publishes_is_no_key(issuer: Issuer, ask: Any) -> None:
    issuer.more = [{"kty": "oct", "kid": "shared", "alg": "HS256", "k": _encoded(b"secret")}]
    body = issuer.token(**CLAIMS).split(".")[1]
    time.sleep(PAUSE)  # so that the keys are fetched again for one that is not known

    assert refusal(ask(_by_secret(_head(alg="HS256", kid="shared"), body, b"secret"))) == (401, "token-invalid")


def test_new_key_of_the_issuer_counts_soon_and_an_old_one_no_more(issuer: Issuer, ask: Any) -> None:
    before = issuer.token(**CLAIMS)
    assert ask(before).status_code == 200
    issuer.keys = {"second": ec_key()}

    after = issuer.token("second", **CLAIMS)

    assert wait_until(lambda: ask(after).status_code == 200, 3 * PAUSE)
    assert refusal(ask(before)) == (401, "token-invalid")
    issuer.keys = {"first": rsa_key()}


def test_keys_are_not_fetched_for_every_request(issuer: Issuer, ask: Any) -> None:
    wait_until(lambda: ask(issuer.token(**CLAIMS)).status_code == 200, 3 * PAUSE)
    before = issuer.asked

    answers = [ask(issuer.token(f"no-{once()}", rsa_key(), **CLAIMS)).status_code for _ in range(5)]

    assert answers == [401] * 5
    assert [ask(issuer.token(**CLAIMS)).status_code for _ in range(5)] == [200] * 5
    assert issuer.asked - before <= 2


def test_issuer_that_can_not_be_asked_is_told_and_tried_again(api: HttpApi, ask: Any) -> None:
    with Issuer() as issuer:
        api.http.post("/v1/trust", json={**RULE, "issuer": issuer.url}).raise_for_status()
        token = issuer.token(**CLAIMS)
        issuer.names = "http://127.0.0.1:9"
        pretender = ask(token)
        issuer.names = issuer.url
        itself = ask(token)

    assert refusal(pretender) == (503, "issuer-unavailable")
    assert itself.status_code == 200


def test_rule_that_is_removed_counts_no_more(api: HttpApi, ask: Any) -> None:
    with Issuer() as issuer:
        rule = api.http.post("/v1/trust", json={**RULE, "issuer": issuer.url}).json()
        listed = [one["id"] for one in api.http.get("/v1/trust").json()["rules"]]
        before = ask(issuer.token(**CLAIMS))
        removed = api.http.delete(f"/v1/trust/{rule['id']}")
        after = ask(issuer.token(**CLAIMS))

    assert rule["id"] in listed
    assert (before.status_code, removed.status_code) == (200, 204)
    assert refusal(after) == (401, "token-invalid")
    assert refusal(api.http.delete(f"/v1/trust/{rule['id']}")) == (404, "trust-unknown")


@pytest.mark.parametrize(
    ("wanted", "slug"),
    [
        ({"issuer": "http://issuer.example"}, "issuer-invalid"),
        ({"issuer": "https://user@issuer.example"}, "issuer-invalid"),
        ({"issuer": "https://issuer.example?a=b"}, "issuer-invalid"),
        ({"issuer": "https://issuer.example:99999"}, "issuer-invalid"),
        ({"issuer": "https://[x"}, "issuer-invalid"),
        ({"issuer": "file:///etc/passwd"}, "invalid-request"),
        ({"claims": {}}, "invalid-request"),
        ({"claims": {"sub": ""}}, "invalid-request"),
        ({"audience": ""}, "invalid-request"),
    ],
    ids=str,
)
def test_wrong_rule_is_refused(api: HttpApi, wanted: dict[str, Any], slug: str) -> None:
    answer = api.http.post("/v1/trust", json={**RULE, "issuer": "https://issuer.example", **wanted})

    assert refusal(answer) == (422, slug)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _head(**fields: Any) -> str:
    return _encoded(json.dumps({"typ": "JWT", **fields}).encode())


def _by_secret(head: str, body: str, secret: bytes) -> str:
    signature = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{_encoded(signature)}"
