"""What goes over the wire, and what comes back as errors."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse

from shipway.client import AsyncClient, Client
from shipway.exceptions import (
    ClientError,
    Conflict,
    ContextError,
    Forbidden,
    InvalidRequest,
    NotFound,
    RequestError,
    ShipwayError,
    TooLarge,
    TooMany,
    Unauthorized,
    Unavailable,
)
from shipway.models.credentials import RegistryLogin
from shipway.models.request import BuildRequest
from tests.unit.client.stand_in import DIGEST, JOB, StandIn, problem

AWAY = problem(503, "unavailable", "redis is away")
REQUEST = BuildRequest(context=DIGEST, tags=("a/b:1",))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, NotFound),
        (409, Conflict),
        (413, TooLarge),
        (422, InvalidRequest),
        (400, RequestError),
        (401, Unauthorized),
        (403, Forbidden),
        (429, TooMany),
        (500, ShipwayError),
    ],
)
def test_the_class_follows_the_status_and_the_slug_is_kept(
    status: int, kind: type[ShipwayError], service: StandIn
) -> None:
    service.refuse("/v1/builds", problem(status, "some-slug", "do this", "tags"))
    with Client(service.url) as client, pytest.raises(kind) as raised:
        client.submit(REQUEST)

    assert (raised.value.slug, raised.value.message, raised.value.field) == ("some-slug", "do this", "tags")
    assert type(raised.value) is kind


def test_a_refused_context_is_a_context_error(service: StandIn) -> None:
    service.refuse("/v1/contexts", problem(400, "context-path-escapes", "../x"))
    with Client(service.url) as client, pytest.raises(ContextError) as raised:
        client.upload_context(Path(__file__).parent, dockerfile="conftest.py")

    assert raised.value.slug == "context-path-escapes"


def test_no_service_says_where_and_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with Client(url) as client, pytest.raises(ClientError, match=r"SHIPWAY_URL.*make up") as raised:
            client.workers()

    assert raised.value.slug == "service-unreachable"
    assert url in raised.value.message


def test_another_server_is_told_from_the_service(service: StandIn) -> None:
    service.refuse(f"/v1/jobs/{JOB}", PlainTextResponse("<html>", 404))
    with Client(service.url) as client, pytest.raises(ClientError) as raised:
        client.job(JOB)

    assert raised.value.slug == "unexpected-answer"


@pytest.mark.parametrize("job_id", ["", "../workers", "a/b", "ä"])
def test_only_ids_become_paths(job_id: str, service: StandIn) -> None:
    with Client(service.url) as client, pytest.raises(ClientError) as raised:
        client.cancel(job_id)

    assert raised.value.slug == "job-id-invalid"
    assert not service.cancelled.is_set()


def test_a_submission_is_sent_again_under_the_same_key(service: StandIn) -> None:
    service.refuse("/v1/builds", AWAY, AWAY)
    with Client(service.url) as client:
        assert client.submit(REQUEST).id == JOB
        client.submit(REQUEST)

    keys = [key for key, _ in service.builds]
    assert len(keys) == 4
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_a_service_that_stays_away_is_reported_as_unavailable(service: StandIn) -> None:
    service.refuse(f"/v1/jobs/{JOB}", *[AWAY] * 9)
    with Client(service.url) as client, pytest.raises(Unavailable):
        client.job(JOB)

    assert len(service.refusals[f"/v1/jobs/{JOB}"]) == 5


def test_a_refusal_is_not_repeated(service: StandIn) -> None:
    service.refuse("/v1/builds", problem(422, "invalid-request", "no"))
    with Client(service.url) as client, pytest.raises(InvalidRequest):
        client.submit(REQUEST)

    assert len(service.builds) == 1


def test_secrets_travel_as_base64_and_logins_by_host(service: StandIn, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with Client(service.url) as client:
        client.build(
            tmp_path,
            tags=["r:5000/a"],
            secrets={"token": b"\x00\xffsecret"},
            registries={"r:5000": RegistryLogin(username="u", password="p")},
        )

    _, sent = service.builds[0]
    assert sent["secrets"] == {"token": "AP9zZWNyZXQ="}
    assert sent["registries"] == {"r:5000": {"username": "u", "password": "p"}}
    assert sent["tags"] == ["r:5000/a:latest"]


async def test_jobs_and_workers_are_listed(service: StandIn) -> None:
    async with AsyncClient(service.url) as client:
        page = await client.jobs(state="running")
        (worker,) = await client.workers()

    assert ([job.id for job in page.jobs], page.next) == ([JOB], None)
    assert (worker.name, worker.capacity) == ("w1", 2)


async def test_json_is_given_as_the_service_gives_it(service: StandIn) -> None:
    async with AsyncClient(service.url) as client:
        raw = await client.get_json(f"/v1/jobs/{JOB}")

    assert raw["from_the_future"] == 1


async def test_the_log_is_text(service: StandIn) -> None:
    service.log = "#1 ä\u2028\n"
    async with AsyncClient(service.url) as client:
        assert await client.log(JOB) == service.log
