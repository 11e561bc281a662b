"""Who may do what: every route, by a token of each scope, of the project that has what is asked for and of another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from deploy.local.registry import Registry
from deploy.local.servers import authorization
from deploy.local.stack import Stack
from service.main import create_app
from shipway.models.token import Scope
from tests.integration.http_api import HttpApi, made
from tests.integration.owner import Owner, neighbours

pytestmark = pytest.mark.engine_independent

Side = Literal["own", "other"]
SIDES: tuple[Side, ...] = ("own", "other")


class Rule(NamedTuple):
    """What a route asks of a caller.

    Attributes:
        scope: which scope it needs; '' when any valid token will do, None when not even that.
        about: what of a project it names, if anything: a key of `Owner.own`, or of `things` below.
        body: JSON to send, `{}` in place of the thing; a route that names nothing gets what it refuses after all else.
    """

    scope: str | None
    about: str = ""
    body: Any = None


NONE: dict[str, Any] = {}
RULES = {
    "GET /healthz": Rule(None),
    "GET /readyz": Rule(None),
    "GET /login": Rule(None),
    "GET /openapi.json": Rule(""),
    "POST /logout": Rule(""),
    "GET /v1/tokens/self": Rule(""),
    "GET /metrics": Rule("read"),
    "GET /": Rule("read"),
    "GET /workers": Rule("read"),
    "GET /trends": Rule("read"),
    "GET /jobs/{id}": Rule("read", "build"),
    "GET /v1/jobs": Rule("read"),
    "GET /v1/jobs/{id}": Rule("read", "job"),
    "GET /v1/jobs/{id}/log": Rule("read", "job"),
    "GET /v1/jobs/{id}/events": Rule("read", "job"),
    "GET /v1/jobs/{id}/artifact": Rule("read", "job"),
    "GET /v1/images": Rule("read"),
    "GET /v1/images/{image}": Rule("read", "image"),
    "GET /v1/images/{image}/history": Rule("read", "image"),
    "GET /v1/registries": Rule("read"),
    "GET /v1/workers": Rule("read"),
    "POST /v1/contexts": Rule("build"),
    "POST /v1/artifacts": Rule("build"),
    "POST /v1/packs": Rule("build"),
    "POST /v1/packs/missing": Rule("build", body=NONE),
    "PUT /v1/contexts/{digest}": Rule("build"),
    "POST /v1/builds": Rule("build", "context", {"context": "{}"}),
    "PUT /v1/builds": Rule("build", "context", {"context": "{}"}),
    "POST /v1/commits": Rule("build", "image", {"image": "{}"}),
    "POST /v1/imports": Rule("build", "artifact", {"artifact": "{}"}),
    "POST /v1/jobs/{id}/cancel": Rule("build", "job"),
    "POST /jobs/{id}/cancel": Rule("build", "build"),
    "POST /jobs/{id}/rebuild": Rule("build", "build"),
    # Whose job it is counts there as well: `test_ssh.py`, for which a step has to wait.
    "GET /v1/jobs/{id}/agent": Rule("build"),
    "PUT /v1/jobs/{id}/agent/{number}": Rule("build", body=NONE),
    "POST /v1/pushes": Rule("push", "image", {"image": "{}", "tags": ["{registry}/pushed:1"]}),
    "PUT /v1/registries/{registry}": Rule("push", body=NONE),
    "DELETE /v1/registries/{registry}": Rule("push", "registry"),
    "POST /v1/loads": Rule("images", "artifact", {"artifact": "{}"}),
    "POST /v1/pulls": Rule("images", body=NONE),
    "POST /v1/saves": Rule("images", "image", {"images": ["{}"]}),
    "POST /v1/exports": Rule("images", "image", {"image": "{}"}),
    "POST /v1/images/{image}/tags": Rule("images", "image", {"tags": ["matrix:1"]}),
    "DELETE /v1/images/{image}": Rule("images", "name"),
    "POST /v1/prunes": Rule("admin", body={"workers": ["nobody"]}),
    "POST /v1/workers/{name}/drain": Rule("admin"),
    "POST /v1/workers/{name}/resume": Rule("admin"),
    "POST /workers/{name}/drain": Rule("admin"),
    "POST /workers/{name}/resume": Rule("admin"),
    "GET /v1/tokens": Rule("admin"),
    "POST /v1/tokens": Rule("admin", body=NONE),
    "DELETE /v1/tokens/{id}": Rule("admin"),
    "GET /v1/trust": Rule("admin"),
    "POST /v1/trust": Rule("admin", body=NONE),
    "DELETE /v1/trust/{id}": Rule("admin"),
    "GET /v1/audit": Rule("admin"),
    "GET /v1/webhooks": Rule("admin"),
    "POST /v1/webhooks": Rule("admin", body=NONE),
    "DELETE /v1/webhooks/{id}": Rule("admin"),
    "POST /v1/webhooks/{id}/test": Rule("admin"),
    "GET /v1/webhooks/{id}/deliveries": Rule("admin"),
}
"""Written by hand, not read off the routes: a route that asks for too little does not pass by saying so."""
ELSEWHERE = {"POST /login"}
"""Takes a token in its body: `test_console.py`."""


def routes() -> set[str]:
    """Every route of the app, the console's included."""
    found = set()
    for route in iter_route_contexts(create_app().routes):
        path = str(route.path).replace(":path}", "}")
        found |= {f"{method} {path}" for method in (route.methods or ()) if method != "HEAD"}
    return found


class Matrix(NamedTuple):
    """What belongs to the owner, and a token for each side and scope."""

    owner: Owner
    things: dict[str, str]
    tokens: dict[tuple[Side, Scope], str]


@pytest.fixture(scope="module")
def matrix(stack: Stack, registry: Registry, locked_registry: Registry) -> Iterator[Matrix]:
    with neighbours(stack, locked_registry) as owner, HttpApi(stack.service.url, stack.token) as admin:
        projects = {"own": owner.api, "other": owner.neighbour}
        names = {side: projects[side].http.get("/v1/tokens/self").json()["project"] for side in SIDES}
        tokens = {
            (side, scope): made(admin, project=names[side], scopes=[scope])["token"]
            for side in SIDES
            for scope in Scope
        }
        things = {
            **owner.own,
            "build": owner.job.id,
            "name": f"isolated/{owner.word}:2",
            "pushed": registry.address,
        }
        yield Matrix(owner, things, tokens)
        for project in projects.values():
            for job in project.http.get("/v1/jobs").json()["jobs"]:
                project.cancel(job["id"])
                project.wait(job["id"])


def ask(matrix: Matrix, name: str, rule: Rule, token: str) -> httpx.Response:
    method, path = name.split(" ", 1)
    thing = matrix.things.get(rule.about, "0" * 16)
    filled = None if rule.body is None else _filled(rule.body, thing, matrix.things["pushed"])
    return matrix.owner.api.http.request(
        method, re.sub(r"\{\w+\}", thing, path), json=filled, headers=authorization(token)
    )


def _filled(body: Any, thing: str, registry: str) -> Any:
    if isinstance(body, dict):
        return {key: _filled(part, thing, registry) for key, part in body.items()}
    if isinstance(body, list):
        return [_filled(part, thing, registry) for part in body]
    return str(body).replace("{registry}", registry).replace("{}", thing)


def test_no_route_is_missing_from_the_matrix() -> None:
    assert routes() == set(RULES) | ELSEWHERE


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("name", list(RULES))
def test_route_for_scope_and_project(matrix: Matrix, name: str, scope: Scope, side: Side) -> None:
    rule = RULES[name]

    answer = ask(matrix, name, rule, matrix.tokens[side, scope])

    if rule.scope not in (None, "", scope):
        assert answer.status_code == 403
        assert "scope-missing" in answer.text
    elif not rule.about:
        assert answer.status_code not in (401, 403), answer.text
    elif side == "own":
        assert answer.status_code < 400, answer.text
    else:
        assert answer.status_code == 404, answer.text
