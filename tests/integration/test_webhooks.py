"""Webhooks: every end of a job that somebody subscribed to is told, signed, until it is taken, and to nobody else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from deploy.local.dockerd import Dockerd
from deploy.local.stack import Plan, Stack
from deploy.local.waiting import wait_until
from tests.integration.command import Shipway
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, made, refusal
from tests.support.receiver import Posted, Receiver

pytestmark = pytest.mark.engine_independent

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/webhooks.md"
QUICK = script("FROM scratch", "LABEL a=b")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def subscribe(api: HttpApi) -> Iterator[Callable[..., dict[str, Any]]]:
    """Make webhooks that are gone after the test."""
    ids: list[str] = []

    def subscribed(url: str, **wanted: Any) -> dict[str, Any]:
        answer = api.http.post("/v1/webhooks", json={"url": url, **wanted})
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
        return dict(answer.json())

    yield subscribed
    for webhook_id in ids:
        api.http.delete(f"/v1/webhooks/{webhook_id}")


def deliveries(api: HttpApi, webhook: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What was sent to a webhook, by id."""
    listed = api.http.get(f"/v1/webhooks/{webhook['id']}/deliveries").raise_for_status().json()["deliveries"]
    return {delivery["id"]: delivery for delivery in listed}


def verified_by_the_document(secret: str, posted: Posted) -> bool:
    """Check a message as docs/webhooks.md tells its readers to."""
    code = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert code is not None
    scope: dict[str, Any] = {}
    exec(code[1], scope)
    return bool(scope["verified"](secret, posted.headers, posted.body))


def test_ends_are_told_signed_and_logged(
    api: HttpApi, receiver: Receiver, subscribe: Callable[..., dict[str, Any]]
) -> None:
    webhook = subscribe(receiver.url)

    good = api.build(QUICK, tags=[f"told-{once()}"])
    bad = api.build(script("FROM base", f"RUN exit 3 # {once()}"))

    assert wait_until(lambda: len(receiver.posted) >= 2, 10)
    told = {posted.job: posted for posted in receiver.posted}
    assert told[good.id].message["type"] == "job.succeeded"
    assert told[good.id].message["data"]["image_id"] == good.result.image_id
    assert told[bad.id].message["data"]["error"]["slug"] == "step-failed"
    for posted in receiver.posted:
        assert posted.headers["webhook-id"] == posted.job
        assert verified_by_the_document(webhook["secret"], posted)
        forged = Posted(posted.headers, posted.body.replace(b"job.", b"jab."))
        assert not verified_by_the_document(webhook["secret"], forged)
        stale = Posted({**posted.headers, "webhook-timestamp": "1600000000"}, posted.body)
        assert not verified_by_the_document(webhook["secret"], stale)
    logged = deliveries(api, webhook)[good.id]
    assert (logged["state"], logged["status"], logged["attempts"]) == ("delivered", 204, 1)


def test_message_is_sent_again_until_it_is_taken(
    api: HttpApi, receiver: Receiver, subscribe: Callable[..., dict[str, Any]]
) -> None:
    receiver.answers = [500, 302]
    webhook = subscribe(receiver.url)

    job = api.build(QUICK)

    assert wait_until(lambda: deliveries(api, webhook).get(job.id, {}).get("state") == "delivered", 20)
    assert deliveries(api, webhook)[job.id]["attempts"] == len(receiver.about(job.id)) == 3
    assert len({posted.headers["webhook-id"] for posted in receiver.posted}) == 1


def test_receiver_that_is_away_is_told_when_it_is_back(api: HttpApi, subscribe: Callable[..., dict[str, Any]]) -> None:
    receiver = Receiver()
    webhook = subscribe(receiver.url)

    job = api.build(QUICK)
    assert wait_until(lambda: deliveries(api, webhook).get(job.id, {}).get("error") == "connection refused", 10)
    assert deliveries(api, webhook)[job.id]["next"] is not None
    with receiver:
        assert wait_until(lambda: len(receiver.about(job.id)) == 1, 20)


def test_receiver_that_never_answers_delays_nobody_else(
    api: HttpApi, receiver: Receiver, subscribe: Callable[..., dict[str, Any]]
) -> None:
    receiver.answering.clear()
    stuck = subscribe(receiver.url)
    with Receiver() as quick:
        subscribe(quick.url)

        first, second = api.build(QUICK), api.succeed(QUICK, no_cache=True)

        assert wait_until(lambda: bool(quick.about(first.id) and quick.about(second.id)), 8)
    assert len(receiver.posted) == 1
    assert all(delivery["state"] == "waiting" for delivery in deliveries(api, stuck).values())


def test_kinds_states_and_projects_that_were_not_subscribed_to_are_not_told(
    api: HttpApi, receiver: Receiver, subscribe: Callable[..., dict[str, Any]]
) -> None:
    project = f"team-{once()[:8].lower()}"
    subscribe(receiver.url, project=project, states=["failed", "succeeded"], kinds=["build", "save"])
    scopes = ["read", "build", "push", "images"]
    with HttpApi(api.url, made(api, project=project, scopes=scopes)["token"]) as team:
        elsewhere = api.build(QUICK)
        built = team.succeed(QUICK, tags=[f"mine-{once()}"])
        cancelled = team.submit(script("FROM base", f"RUN echo up; sleep 600 # {once()}"))
        team.wait_for_text(cancelled.id, "up")
        team.cancel(cancelled.id)
        team.wait(cancelled.id)
        shown = team.http.get(f"/v1/images/{built.result.image_id}")
        saved = team.http.post("/v1/saves", json={"images": [built.result.image_id]}).json()["id"]

        assert shown.status_code == 200
        assert wait_until(lambda: len(receiver.about(saved)) == 1, 10)
    assert {posted.job for posted in receiver.posted} == {built.id, saved}
    assert elsewhere.id not in {posted.job for posted in receiver.posted}


def test_addresses_that_are_not_public_are_refused(api: HttpApi, subscribe: Callable[..., dict[str, Any]]) -> None:
    for url in ("http://10.0.0.1/hook", "http://169.254.169.254/latest", "http://[fd00::1]/", "http://0.0.0.0:6379/"):
        refused = api.http.post("/v1/webhooks", json={"url": url})
        assert refusal(refused) == (422, "webhook-forbidden"), url
    for url in ("ftp://a.example/", "http://", "http://user:word@a.example/", "gopher://127.0.0.1/", "https://a/#b"):
        assert api.http.post("/v1/webhooks", json={"url": url}).status_code == 422, url


def test_redirect_is_not_followed(api: HttpApi, receiver: Receiver, subscribe: Callable[..., dict[str, Any]]) -> None:
    with Receiver([307] * 50, redirect=receiver.url) as redirecting:
        webhook = subscribe(redirecting.url)
        job = api.build(QUICK)

        assert wait_until(lambda: deliveries(api, webhook).get(job.id, {}).get("status") == 307, 10)
    assert receiver.posted == []


def test_secret_shows_nowhere(
    api: HttpApi, stack: Stack, receiver: Receiver, subscribe: Callable[..., dict[str, Any]]
) -> None:
    webhook = subscribe(receiver.url)
    secret = webhook["secret"].removeprefix("whsec_")
    job = api.build(QUICK)
    assert wait_until(lambda: bool(receiver.about(job.id)), 10)

    answers = [api.http.get(path).text for path in ("/v1/webhooks", f"/v1/webhooks/{webhook['id']}/deliveries")]
    with redis.Redis.from_url(stack.redis.url) as connection:
        kept = [connection.dump(key) or b"" for key in connection.scan_iter("*")]
    logs = "".join(path.read_text(errors="replace") for path in stack.plan.state.rglob("*.log"))
    posted = "".join(str(one.headers) for one in receiver.posted)

    assert webhook["id"] in answers[0]
    assert all(secret not in text for text in (*answers, logs, posted))
    assert all(secret.encode() not in value for value in kept)


def test_project_has_so_many_webhooks_and_no_more(
    api: HttpApi, receiver: Receiver, subscribe: Callable[..., dict[str, Any]]
) -> None:
    project = f"many-{once()[:8].lower()}"
    for _ in range(20):
        subscribe(receiver.url, project=project)

    assert refusal(api.http.post("/v1/webhooks", json={"url": receiver.url, "project": project}))[1] == "webhooks-full"


def test_removed_webhook_is_told_nothing_and_leaves_nothing(
    api: HttpApi, stack: Stack, receiver: Receiver, subscribe: Callable[..., dict[str, Any]]
) -> None:
    receiver.answers = [500] * 50
    webhook = subscribe(receiver.url)
    job = api.build(QUICK)
    assert wait_until(lambda: bool(receiver.about(job.id)), 10)

    api.http.delete(f"/v1/webhooks/{webhook['id']}").raise_for_status()

    assert refusal(api.http.get(f"/v1/webhooks/{webhook['id']}/deliveries")) == (404, "webhook-unknown")
    with redis.Redis.from_url(stack.redis.url, decode_responses=True) as connection:
        due = f"shipway:webhook:{webhook['id']}:due"
        assert wait_until(
            lambda: not connection.exists(due) and not connection.zscore("shipway:deliveries", webhook["id"])
        )


def test_end_that_comes_while_no_worker_lives_is_told_when_one_does_but_to_public_addresses_only(
    dockerd: Dockerd, receiver: Receiver, tmp_path: Path
) -> None:
    """The worker judges the address that it connects to, whatever a name led to before: this one allows 127.0.0.1."""
    plan = Plan(tmp_path, registry=False, workers=0)
    with (
        Receiver(host="127.0.0.2") as inside,
        Stack(plan, dockerd=dockerd) as lonely,
        HttpApi(lonely.service.url, lonely.token) as api,
    ):
        api.http.post("/v1/webhooks", json={"url": receiver.url}).raise_for_status()
        named = api.http.post("/v1/webhooks", json={"url": inside.url}).json()
        job = api.submit(QUICK)
        api.cancel(job.id)
        lonely.service.child.kill()

        lonely.service.start()
        lonely.add_worker("late", settings={"SHIPWAY_FETCH_ALLOW": "127.0.0.1"})

        assert wait_until(lambda: bool(receiver.about(job.id)) and job.id in deliveries(api, named), 20)
        assert "not public" in deliveries(api, named)[job.id]["error"]
    assert receiver.about(job.id)[0].message["type"] == "job.cancelled"
    assert inside.posted == []


def test_message_that_a_killed_worker_was_delivering_is_delivered_by_another(
    dockerd: Dockerd, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answering.clear()
    plan = Plan(tmp_path, registry=False, workers=0, env={"SHIPWAY_LEASE": "9"})
    with Stack(plan, dockerd=dockerd) as stack, HttpApi(stack.service.url, stack.token) as api:
        webhook = api.http.post("/v1/webhooks", json={"url": receiver.url}).json()
        job = api.submit(QUICK)
        api.cancel(job.id)
        first = stack.add_worker("first")
        assert wait_until(lambda: bool(receiver.about(job.id)), 20)

        first.child.kill()
        receiver.answering.set()
        stack.add_worker("second")

        assert wait_until(lambda: deliveries(api, webhook).get(job.id, {}).get("state") == "delivered", 30)
    assert len(receiver.about(job.id)) >= 2
    assert len({posted.headers["webhook-id"] for posted in receiver.posted}) == 1


def test_commands(stack: Stack, receiver: Receiver, tmp_path: Path, api: HttpApi) -> None:
    shipway = Shipway(stack.service.url, stack.token, tmp_path)
    added = shipway("webhook", "add", receiver.url, "--kind", "build", "--state", "failed")
    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith("whsec_")
    webhook_id = added.stderr.split()[1]
    try:
        assert receiver.url in shipway.ok("webhook", "list")
        assert "delivered: answered 204" in shipway.ok("webhook", "test", webhook_id)
        assert receiver.posted[0].message == {**receiver.posted[0].message, "type": "ping", "data": None}
        assert verified_by_the_document(added.stdout.strip(), receiver.posted[0])
        assert "ping" in shipway.ok("webhook", "deliveries", webhook_id)
        assert webhook_id in shipway.ok("audit", "--limit", "20")
        assert json.loads(shipway.ok("audit", "--json"))["entries"]
        assert "rules" in json.loads(shipway.ok("trust", "list", "--json"))
        receiver.answers = [500]
        failed = shipway("webhook", "test", webhook_id)
        assert (failed.returncode, failed.stderr) == (1, "not delivered: answered 500\n")
    finally:
        assert shipway.ok("webhook", "remove", webhook_id) == f"{webhook_id}\n"
