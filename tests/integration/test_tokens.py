"""Tokens: who has none gets nothing, who has one gets what its scopes and repositories say, until it is revoked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import redis

from deploy.local.engine import REPOSITORY
from deploy.local.plain_http import PLAIN
from deploy.local.servers import Service, authorization
from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from service.main import create_app
from shipway import __version__
from shipway.models.job import JobState
from shipway.models.token import Scope
from tests.integration.command import Shipway
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, made, refusal

pytestmark = pytest.mark.engine_independent

TEAM = "registry.example/team"


class Route(NamedTuple):
    """One operation of the API, with values in its path that belong to nothing, and the scope that it needs."""

    method: str
    path: str
    scope: str | None


def _routes() -> list[Route]:
    found = []
    for path, operations in create_app().openapi()["paths"].items():
        for method, operation in operations.items():
            if "security" in operation:
                [needed] = operation["security"]
                concrete = path.replace("{id}", "0" * 16).replace("{name}", "none").replace("{image}", "none/none:1")
                found.append(Route(method.upper(), concrete, next(iter(needed["token"]), None)))
    return found


ROUTES = _routes()
OPEN = ["/healthz", "/readyz"]


@pytest.fixture(scope="module")
def by_scope(stack: Stack) -> Iterator[dict[str, HttpApi]]:
    """For each scope somebody who has it and no other."""
    with HttpApi(stack.service.url, stack.token) as api:
        yield {scope: HttpApi(api.url, made(api, scopes=[scope])["token"]) for scope in Scope}


@pytest.fixture
def stranger(stack: Stack) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with httpx.Client(base_url=stack.service.url, **PLAIN, timeout=20) as client:
        yield client


def test_every_route_but_health_needs_a_token(stranger: httpx.Client) -> None:
    for method, path, _ in [*ROUTES, Route("GET", "/openapi.json", None), Route("GET", "/no/such/route", None)]:
        answer = stranger.request(method, path)

        assert refusal(answer) == (401, "token-missing"), path
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="shipway"'
    assert [stranger.get(path).status_code for path in OPEN] == [200, 200]
    assert len(ROUTES) >= 30


def test_stranger_is_not_told_which_version_runs(stack: Stack, stranger: httpx.Client) -> None:
    static = [f"/static/{file.name}" for file in (REPOSITORY / "service/console/static").iterdir()]
    open_to_all = [stranger.get(path) for path in (*OPEN, "/login", *static)]
    refused = [stranger.get(path) for path in ("/", "/openapi.json", "/v1/jobs")]
    told = httpx.get(f"{stack.service.url}/openapi.json", headers=authorization(stack.token), **PLAIN).text

    assert any(answer.status_code == 200 and "<form" in answer.text for answer in open_to_all)
    for answer in (*open_to_all, *refused):
        assert __version__ not in answer.text, answer.url
        assert not [value for value in answer.headers.values() if __version__ in value]
    assert __version__ in told


def test_nothing_of_a_body_is_read_without_a_token(stranger: httpx.Client) -> None:
    assert refusal(stranger.post("/v1/commits", content=b"{")) == (401, "token-missing")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_may_be_written_in_any_case(stack: Stack, stranger: httpx.Client, scheme: str) -> None:
    assert stranger.get("/v1/tokens/self", headers={"Authorization": f"{scheme} {stack.token}"}).status_code == 200


def test_what_is_no_valid_token_is_refused_alike(stack: Stack, stranger: httpx.Client) -> None:
    _, token_id, secret = stack.token.split("_")
    wrong = [
        *("x", "shipway_", "shipway__", "null", "x" * 4096, "a b", "../../x", "\u00e9", "*"),
        f"shipway_{token_id}_{'0' * 64}",
        f"shipway_{'0' * 16}_{secret}",
        f"shipway_{token_id}_{secret[:-1]}",
        f"shipway_{token_id}_{secret}0",
        f"shipway_{token_id}_{secret.upper()}",
        stack.token.upper(),
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.",
    ]
    for token in wrong:
        answer = stranger.get("/v1/jobs", headers={b"Authorization": f"Bearer {token}".encode()})

        assert refusal(answer) == (401, "token-invalid"), token
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="shipway", error="invalid_token"'
        assert secret not in answer.text
    assert refusal(stranger.get("/v1/jobs", headers={"Authorization": f"Basic {stack.token}"}))[1] == "token-missing"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route_needs_its_own_scope_and_no_other(by_scope: dict[str, HttpApi], route: Route) -> None:
    for scope, somebody in by_scope.items():
        answer = somebody.http.request(route.method, route.path, json={"lifetime": "x", "workers": 1, "tags": 1})

        if route.scope in (scope, None):
            assert answer.status_code not in (401, 403), answer.text
        else:
            assert refusal(answer) == (403, "scope-missing"), scope
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
            assert repr(str(route.scope)) in answer.text


def test_revoked_token_is_refused_by_another_replica_within_a_second(
    api: HttpApi, stack: Stack, tmp_path: Path
) -> None:
    token = made(api)
    replica = Service(stack.shared, tmp_path)
    replica.start()
    try:
        headers = authorization(token["token"])
        with httpx.Client(base_url=replica.url, headers=headers, **PLAIN, timeout=20) as other:
            before = other.get("/v1/tokens/self")
            revoked = api.http.delete(f"/v1/tokens/{token['id']}")
            time.sleep(1)
            after = other.get("/v1/tokens/self")
    finally:
        replica.stop()

    assert (before.status_code, revoked.status_code) == (200, 204)
    assert refusal(after) == (401, "token-invalid")
    assert refusal(api.http.delete(f"/v1/tokens/{token['id']}")) == (404, "token-unknown")
    assert token["id"] not in [one["id"] for one in api.http.get("/v1/tokens").json()["tokens"]]


def test_follower_whose_token_is_revoked_is_told_nothing_more(api: HttpApi) -> None:
    token, word = made(api, scopes=["read"]), once()
    job = api.submit(script("FROM base", f"RUN echo begun; for i in $(seq 60); do sleep 0.5; echo {word}; done"))
    revoked, later = False, []

    with HttpApi(api.url, token["token"]) as somebody:
        for sent in somebody.follow(job.id):
            if revoked:
                later.append(sent)
            elif word in getattr(sent.event.body, "text", ""):
                api.http.delete(f"/v1/tokens/{token['id']}").raise_for_status()
                revoked = True

    state = api.job(job.id).state
    api.cancel(job.id)
    assert revoked
    assert len(later) <= 3  # what was on its way
    assert state is JobState.RUNNING


def test_expired_token_is_told_as_such(api: HttpApi) -> None:
    token = made(api, lifetime=2)

    with HttpApi(api.url, token["token"]) as somebody:
        assert somebody.http.get("/v1/tokens/self").status_code == 200
        assert wait_until(lambda: somebody.http.get("/v1/tokens/self").status_code == 401, 10)
        assert refusal(somebody.http.get("/v1/tokens/self")) == (401, "token-expired")


def test_use_of_a_token_is_noted(api: HttpApi) -> None:
    token = made(api)

    def used() -> float | None:
        listed = {one["id"]: one for one in api.http.get("/v1/tokens").json()["tokens"]}
        return float(listed[token["id"]]["last_used"] or 0) or None

    before = used()
    with HttpApi(api.url, token["token"]) as somebody:
        somebody.http.get("/v1/jobs").raise_for_status()

    assert before is None
    assert (used() or 0) >= token["created"]


def test_secret_of_a_token_is_nowhere_but_in_its_answer(api: HttpApi, stack: Stack) -> None:
    secret = made(api)["token"].rpartition("_")[2]
    made(api, lifetime=60)

    with redis.Redis.from_url(stack.redis.url) as connection:
        stored = b"".join(connection.dump(key) or b"" for key in connection.scan_iter())
    files = [path.read_bytes() for path in stack.plan.state.rglob("*.log")]
    files += [path.read_bytes() for path in stack.redis.state.rglob("*.aof")]

    assert len(secret) == 64
    assert secret.encode() not in b"".join([stored, *files])
    assert secret not in api.http.get("/v1/tokens").text


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/builds", {"tags": [f"{TEAM}/app:1", "registry.example/other/app:1"]}, "tags"),
        ("/v1/builds", {"tags": ["app"]}, "tags"),
        ("/v1/builds", {"tags": ["registry.example.evil/team/app"]}, "tags"),
        ("/v1/builds", {"cache_from": ["registry.example/other/app"]}, "cache_from"),
        ("/v1/builds", {"build_contexts": {"x": "docker-image://registry.example/other/app"}}, "build_contexts"),
        ("/v1/builds", {"sbom": "registry.example/other/scanner"}, "sbom"),
        ("/v1/commits", {"image": "registry.example/other/base"}, "image"),
        ("/v1/commits", {"image": f"{TEAM}/base", "tags": ["registry.example/other/app"]}, "tags"),
        ("/v1/imports", {"artifact": "0" * 26, "tags": ["registry.example/other/app"]}, "tags"),
        ("/v1/pulls", {"image": "registry.example/other/app"}, "image"),
        ("/v1/pushes", {"image": "registry.example/other/app"}, "image"),
        ("/v1/pushes", {"image": f"{TEAM}/app", "tags": ["registry.example/other/app"]}, "tags"),
        ("/v1/saves", {"images": [f"{TEAM}/app", "registry.example/other/app"]}, "images"),
        ("/v1/exports", {"image": "registry.example/other/app"}, "image"),
        ("/v1/images/registry.example/other/app:1/tags", {"tags": [f"{TEAM}/app"]}, "image"),
    ],
)
def test_repository_that_a_token_may_not_use_is_refused(
    api: HttpApi, path: str, body: dict[str, Any], field: str
) -> None:
    token = made(api, scopes=["read", "build", "push", "images"], push=[f"{TEAM}/*"], pull=[f"{TEAM}/*"])
    if path == "/v1/builds":
        body = {"context": api.upload(script("FROM scratch", "LABEL a=b")), **body}

    with HttpApi(api.url, token["token"]) as somebody:
        answer = somebody.http.post(path, json=body)

    assert refusal(answer) == (403, "repository-forbidden")
    assert answer.json()["error"]["field"] == field


def test_pushing_needs_its_scope_in_a_build_as_well(api: HttpApi) -> None:
    with HttpApi(api.url, made(api, scopes=["read", "build"])["token"]) as somebody:
        context = somebody.upload(script("FROM scratch", f"LABEL word={once()}"))
        refused = somebody.http.post("/v1/builds", json={"context": context, "tags": [f"{TEAM}/app"], "push": True})
        taken = somebody.http.post("/v1/builds", json={"context": context, "tags": [f"{TEAM}/app"]})

        assert refusal(refused) == (403, "scope-missing")
        assert taken.status_code == 202


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"project": "A/../b"}, "project"),
        ({"project": ""}, "project"),
        ({"scopes": ["root"]}, "scopes.0"),
        ({"scopes": []}, "scopes"),
        ({"push": ["a b"]}, "push.0"),
        ({"lifetime": 0}, "lifetime"),
        ({"lifetime": 1e300}, "lifetime"),
        ({"name": "a\nb"}, "name"),
        ({"name": ""}, "name"),
        ({"id": "0" * 16}, "id"),
    ],
)
def test_wrong_wish_for_a_token_is_refused(api: HttpApi, wanted: dict[str, Any], field: str) -> None:
    before = len(api.http.get("/v1/tokens").json()["tokens"])

    answer = api.http.post("/v1/tokens", json={"name": "a", **wanted})

    assert refusal(answer) == (422, "invalid-request")
    assert answer.json()["error"]["field"] == field
    assert len(api.http.get("/v1/tokens").json()["tokens"]) == before


def test_command_logs_in_makes_lists_and_revokes(stack: Stack, tmp_path: Path) -> None:
    admin = Shipway(stack.service.url, stack.token, tmp_path)
    user = Shipway(stack.service.url, "", tmp_path)

    text = admin.ok(
        "token", "create", "ci of ada", "--scope", "read", "--push", "a.example/**", "--expires", "2h"
    ).strip()
    logged_in = user("login", stack.service.url, "--token-stdin", stdin=text.encode())
    listed = json.loads(admin.ok("token", "list", "--json"))["tokens"][0]
    allowed, forbidden = user("ps"), user("token", "list")
    admin.ok("token", "revoke", listed["id"])
    after = user("ps")

    assert logged_in.returncode == 0, logged_in.stderr
    assert text not in logged_in.stdout + logged_in.stderr
    assert (listed["name"], listed["scopes"], listed["push"]) == ("ci of ada", ["read"], ["a.example/**"])
    assert listed["id"] in text
    assert "ci of ada" not in admin.ok("token", "list")
    assert allowed.returncode == 0, allowed.stderr
    assert "scope-missing" in forbidden.stderr
    assert (after.returncode, "token-invalid" in after.stderr) == (1, True)


def test_command_without_a_token_says_how_to_get_one(stack: Stack, tmp_path: Path) -> None:
    done = Shipway(stack.service.url, "", tmp_path)("ps")

    assert done.returncode == 1
    assert "token-missing" in done.stderr
    assert "shipway login" in done.stderr


def test_wrong_token_is_not_kept_by_login(stack: Stack, tmp_path: Path) -> None:
    done = Shipway(stack.service.url, "", tmp_path)("login", stack.service.url, "--token-stdin", stdin=b"wrong")

    assert done.returncode == 1
    assert "token-invalid" in done.stderr
    assert not list(tmp_path.rglob("tokens.json"))
