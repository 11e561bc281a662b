"""Every change is on record: who made it, to what, when and from where; reading leaves no trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deploy.local.stack import Stack
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import TAR, HttpApi, made, refusal
from tests.integration.test_trust import RULE

pytestmark = pytest.mark.engine_independent


@pytest.fixture
def somebody(api: HttpApi) -> Iterator[HttpApi]:
    """A user whose token nobody else has."""
    scopes = ["read", "build", "push", "images", "admin"]
    with HttpApi(api.url, made(api, name=f"audited {once()}", project="audited", scopes=scopes)["token"]) as client:
        yield client


def _entries(api: HttpApi, who: str) -> list[dict[str, Any]]:
    """What somebody did, oldest first."""
    found = api.http.get("/v1/audit", params={"limit": 1000}).raise_for_status().json()["entries"]
    return [entry for entry in reversed(found) if entry["who"] == who]


def _drain(api: HttpApi) -> str:
    for verb in ("drain", "resume"):
        api.http.post(f"/v1/workers/local-1/{verb}").raise_for_status()
    return "local-1"


def _make_and_revoke(api: HttpApi) -> str:
    token_id = str(made(api)["id"])
    api.http.delete(f"/v1/tokens/{token_id}").raise_for_status()
    return token_id


def _trust_and_cease(api: HttpApi) -> str:
    rule = api.http.post("/v1/trust", json={**RULE, "issuer": "https://issuer.example"}).raise_for_status().json()
    api.http.delete(f"/v1/trust/{rule['id']}").raise_for_status()
    return str(rule["id"])


def _send_archive(api: HttpApi) -> str:
    sent = api.http.post("/v1/artifacts", content=tar_of({"a": b"b"}), headers=TAR)
    return str(sent.raise_for_status().json()["artifact"])


def _pull(api: HttpApi) -> str:
    asked = api.http.post("/v1/pulls", json={"image": "127.0.0.1:9/none"}).raise_for_status()
    return str(asked.json()["jobs"][0]["id"])


CHANGES: dict[str, tuple[Callable[[HttpApi], str], list[str]]] = {
    "context": (lambda api: api.upload(script("FROM scratch")), ["context.send"]),
    "archive": (_send_archive, ["artifact.send"]),
    "pull": (_pull, ["pull.submit"]),
    "worker": (_drain, ["worker.drain", "worker.resume"]),
    "token": (_make_and_revoke, ["token.create", "token.revoke"]),
    "trust": (_trust_and_cease, ["trust.create", "trust.delete"]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_change_is_on_record_with_who_what_when_and_from_where(
    api: HttpApi, somebody: HttpApi, stack: Stack, what: str
) -> None:
    change, actions = CHANGES[what]
    who = somebody.http.get("/v1/tokens/self").json()["who"]

    subject = change(somebody)

    noted = _entries(api, who)
    assert [(entry["action"], entry["subject"]) for entry in noted] == [(action, subject) for action in actions]
    assert {entry["address"] for entry in noted} == {"127.0.0.1"}
    assert {entry["project"] for entry in noted} == {"audited"}
    assert all(abs(time.time() - entry["at"]) < 60 for entry in noted)
    written = [line for line in stack.service.child.last_lines(2000) if subject in line and who in line]
    assert len(written) == len(actions)


def test_build_and_its_cancellation_are_on_record(api: HttpApi, somebody: HttpApi) -> None:
    who = somebody.http.get("/v1/tokens/self").json()["who"]
    job = somebody.submit(script("FROM base", f"RUN sleep 60 # {once()}"))
    somebody.cancel(job.id)

    assert [(entry["action"], entry["subject"]) for entry in _entries(api, who)[1:]] == [
        ("build.submit", job.id),
        ("job.cancel", job.id),
    ]


def test_reading_and_refused_changes_are_not(api: HttpApi, somebody: HttpApi) -> None:
    who = somebody.http.get("/v1/tokens/self").json()["who"]
    for path in ("/v1/jobs", "/v1/workers", "/v1/images", "/v1/audit"):
        somebody.http.get(path).raise_for_status()
    assert refusal(somebody.http.delete(f"/v1/tokens/{'0' * 16}")) == (404, "token-unknown")

    assert _entries(api, who) == []


def test_entries_come_in_pages_newest_first(api: HttpApi, somebody: HttpApi) -> None:
    for _ in range(3):
        made(somebody)

    whole = api.http.get("/v1/audit", params={"limit": 4}).json()["entries"]
    first = api.http.get("/v1/audit", params={"limit": 2}).json()
    second = api.http.get("/v1/audit", params={"limit": 2, "before": first["next"]}).json()

    assert first["entries"] + second["entries"] == whole
    assert refusal(api.http.get("/v1/audit", params={"before": "x"})) == (422, "invalid-request")
