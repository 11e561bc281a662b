"""What belongs to one project does not exist for another: every route of the API is tried as somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from deploy.local.registry import Registry
from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from service.main import create_app
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, refusal
from tests.integration.owner import Owner, neighbours

pytestmark = pytest.mark.engine_independent

UNKNOWN = {
    "job": "0" * 26,
    "image": "sha256:" + "0" * 64,
    "context": "sha256:" + "0" * 64,
    "artifact": "0" * 26,
    "registry": "nowhere.example",
}
"""What belongs to nobody, by what it would be."""


@pytest.fixture(scope="module")
def owner(stack: Stack, locked_registry: Registry) -> Iterator[Owner]:
    with neighbours(stack, locked_registry) as projects:
        yield projects


BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "POST /v1/builds": ("context", {"context": "{}"}),
    "PUT /v1/builds": ("context", {"context": "{}"}),
    "POST /v1/builds (Dockerfile)": ("context", {"remote": "http://127.0.0.1:9/", "dockerfile_context": "{}"}),
    "POST /v1/commits": ("context", {"image": "base", "context": "{}", "copies": [["a", "/a"]]}),
    "POST /v1/commits (image)": ("image", {"image": "{}"}),
    "POST /v1/imports": ("artifact", {"artifact": "{}"}),
    "POST /v1/loads": ("artifact", {"artifact": "{}"}),
    "POST /v1/saves": ("image", {"images": ["{}"]}),
    "POST /v1/exports": ("image", {"image": "{}"}),
    "POST /v1/pushes": ("image", {"image": "{}"}),
    "POST /v1/pushes (worker)": ("image", {"image": "{}", "worker": "local-1"}),
    "POST /v1/images/{image}/tags": ("image", {"tags": ["mine:1"], "worker": "local-1"}),
}
"""Requests that name something in their body (or path): what it is, and the body with its place."""
PATHS = {
    "GET /v1/jobs/{id}": "job",
    "POST /v1/jobs/{id}/cancel": "job",
    "GET /v1/jobs/{id}/log": "job",
    "GET /v1/jobs/{id}/artifact": "job",
    "GET /v1/jobs/{id}/events": "job",
    "GET /v1/images/{image}": "image",
    "GET /v1/images/{image}/history": "image",
    "DELETE /v1/images/{image}": "image",
    "DELETE /v1/registries/{registry}": "registry",
}
LISTS = {"GET /v1/jobs": "image", "GET /v1/images": "image", "GET /v1/registries": "registry"}
OWNED_BY_NOBODY = {
    *(
        "POST /v1/contexts",
        "POST /v1/artifacts",
        *("POST /v1/packs", "PUT /v1/contexts/{digest}", "POST /v1/packs/missing"),  # see test_incremental
        "PUT /v1/registries/{registry}",
    ),  # what is sent belongs to whoever sends it
    "POST /v1/pulls",  # asks a registry, by the logins that came with it
    *("GET /healthz", "GET /readyz", "GET /metrics", "GET /v1/workers", "GET /v1/tokens/self"),
}

ELSEWHERE = {"GET /v1/jobs/{id}/agent", "PUT /v1/jobs/{id}/agent/{number}"}
"""Tried in `test_ssh.py`, while a build waits for an answer."""


def _operations() -> dict[str, dict[str, Any]]:
    paths = create_app().openapi()["paths"]
    return {f"{method.upper()} {path}": operation for path, ways in paths.items() for method, operation in ways.items()}


def _for_admins(operation: dict[str, Any]) -> bool:
    return operation.get("security") == [{"token": ["admin"]}]


def _ask(api: HttpApi, name: str, value: str) -> httpx.Response:
    """Send one of the requests above about a thing."""
    method, path = name.partition(" (")[0].split(" ", 1)
    body = BODIES.get(name, ("", None))[1]
    filled = None if body is None else _filled(body, value)
    return api.http.request(method, re.sub(r"\{\w+\}", value, path), json=filled)


def _filled(body: Any, value: str) -> Any:
    if isinstance(body, dict):
        return {key: _filled(part, value) for key, part in body.items()}
    if isinstance(body, list):
        return [_filled(part, value) for part in body]
    return value if body == "{}" else body


def test_every_route_is_tried() -> None:
    tried = {name.partition(" (")[0] for name in BODIES} | set(PATHS) | set(LISTS) | OWNED_BY_NOBODY | ELSEWHERE

    assert tried == {name for name, operation in _operations().items() if not _for_admins(operation)}


@pytest.mark.parametrize("name", [*BODIES, *PATHS])
def test_what_another_project_has_is_as_unknown_as_what_nobody_has(owner: Owner, name: str) -> None:
    what = BODIES[name][0] if name in BODIES else PATHS[name]
    theirs, unknown = owner.own[what], UNKNOWN[what]

    about_theirs, about_nothing = (_ask(owner.neighbour, name, value) for value in (theirs, unknown))

    assert refusal(about_theirs)[0] == 404
    assert about_theirs.text.replace(theirs, "X") == about_nothing.text.replace(unknown, "X")
    assert set(about_theirs.headers) == set(about_nothing.headers)
    assert about_theirs.status_code == about_nothing.status_code


@pytest.mark.parametrize("name", [name for name in PATHS if name.startswith("GET")])
def test_its_owner_has_it(owner: Owner, name: str) -> None:
    assert _ask(owner.api, name, owner.own[PATHS[name]]).status_code == 200


@pytest.mark.parametrize("name", sorted(LISTS))
def test_lists_hold_what_is_ones_own(owner: Owner, name: str) -> None:
    path, theirs = name.split()[1], owner.own[LISTS[name]]

    assert theirs in owner.api.http.get(path).text
    assert theirs not in owner.neighbour.http.get(path).text
    assert (
        owner.neighbour.http.get(path, params={"before": owner.job.id}).json()
        == owner.neighbour.http.get(path, params={"before": UNKNOWN["job"]}).json()
    )


def test_image_by_its_name_is_unknown_as_well(owner: Owner) -> None:
    named = owner.neighbour.http.get(f"/v1/images/isolated/{owner.word}:1")

    assert refusal(named) == (404, "image-unknown")


def test_nothing_was_done_to_what_another_has(owner: Owner) -> None:
    """After all of the above."""
    assert owner.api.job(owner.own["job"]).cancel_requested is False
    assert owner.api.http.get(f"/v1/images/isolated/{owner.word}:1").status_code == 200
    assert owner.own["registry"] in owner.api.http.get("/v1/registries").text


def test_same_idempotency_key_in_two_projects_makes_two_jobs(owner: Owner) -> None:
    key, files = {"Idempotency-Key": once()}, script("FROM scratch", f"LABEL word={once()}")

    first, second = (api.ask(files, headers=key) for api in (owner.api, owner.neighbour))

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] != second.json()["id"]


def test_result_of_one_project_answers_no_other(owner: Owner) -> None:
    files = script("FROM scratch", f"LABEL word={once()}", "COPY a /a") | {"a": b"a"}
    first = owner.api.succeed(files)

    again, theirs = owner.api.succeed(files), owner.neighbour.succeed(files)

    assert (first.result.answered_from, again.result.answered_from) == (None, first.id)
    assert theirs.result.answered_from is None


def test_running_build_of_one_project_is_joined_by_no_other(owner: Owner) -> None:
    files = script("FROM base", f"RUN echo begun; sleep 5 # {once()}")
    first = owner.api.submit(files)
    owner.api.wait_for_text(first.id, "begun")
    again = owner.api.submit(files)
    assert wait_until(lambda: owner.api.job(again.id).waited_for == first.id)

    theirs = owner.neighbour.build(files)
    ended = owner.api.wait(first.id)

    assert theirs.waited_for is None
    assert ended.timings.finished is not None
    assert theirs.timings.started is not None
    assert theirs.timings.started < ended.timings.finished


def test_same_context_in_two_projects_is_sent_twice(owner: Owner, stack: Stack) -> None:
    """Its digest proves nothing: the neighbour has it once it has sent it, in a place of its own."""
    files = script("FROM scratch", f"LABEL word={owner.word}", "COPY a /a") | {"a": owner.word.encode()}

    digest = owner.neighbour.upload(files)

    assert digest == owner.own["context"]
    copies = [path for path in stack.shared.store.rglob(digest.removeprefix("sha256:")) if path.is_file()]
    assert len({path.parts[-3] for path in copies}) == 2
