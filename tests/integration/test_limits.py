"""What a project may use: more is refused in words, and leaves nothing behind."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.redis import RedisServer
from deploy.local.servers import Service, Shared
from deploy.local.stack import Stack
from shipway.models.job import JobState
from tests.integration.contexts import once, script, tar_of, wire
from tests.integration.http_api import TAR, HttpApi, refusal
from tests.integration.leftovers import kept, orphans

Limited = Callable[..., HttpApi]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpApi]:
    """A service that waits for nobody."""
    with limited(server, tmp_path_factory.mktemp("hasty"), http_stall="1") as api:
        yield api


@contextmanager
def limited(server: RedisServer, folder: Path, **limits: str) -> Iterator[HttpApi]:
    """A service with these limits and no worker: what it accepts stays queued."""
    extra = {f"SHIPWAY_{name.upper()}": value for name, value in limits.items()}
    service = Service(Shared(server.url, folder / "store", "A" * 43 + "=", extra), folder)
    service.start()
    try:
        with HttpApi(service.url, service.token) as api:
            yield api
    finally:
        service.stop()


@pytest.fixture(scope="module")
def small(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpApi]:
    """A service whose projects may do little."""
    folder = tmp_path_factory.mktemp("small")
    with limited(server, folder, max_queued="2", max_timeout="60", max_stored_bytes="200000", host_network="") as api:
        yield api


def test_jobs_beyond_the_queue_are_refused_until_there_is_room(small: HttpApi) -> None:
    context = script("FROM base", f"RUN echo {once()}")
    queued = [small.submit(context, timeout=60) for _ in range(2)]

    refused = small.ask(context, timeout=60)
    small.cancel(queued[0].id)
    accepted = small.submit(context, timeout=60)

    assert refusal(refused) == (429, "too-many-jobs")
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["error"]["retryable"]
    for job in (queued[1], accepted):
        small.cancel(job.id)


def test_repeated_request_is_answered_though_the_queue_is_full(small: HttpApi) -> None:
    key = {"Idempotency-Key": once()}
    context = script("FROM base", f"RUN echo {once()}")
    first = small.ask(context, headers=key, timeout=60)
    other = small.submit(context, timeout=60)

    again = small.ask(context, headers=key, timeout=60)

    assert again.json()["id"] == first.json()["id"]
    for job_id in (first.json()["id"], other.id):
        small.cancel(job_id)


def test_time_beyond_the_limit_is_refused(small: HttpApi) -> None:
    assert refusal(small.ask(script("FROM base"), timeout=61)) == (422, "timeout-too-long")


@pytest.mark.parametrize("network", ["host", "container:x", "bridge", "somebodys"])
def test_network_that_the_project_has_not_is_refused_before_the_upload(small: HttpApi, network: str) -> None:
    options = {"networkmode": network, "timeout": "60"}

    answer = small.http.post("/v1/builds", params=options, content=b"no tar, but nobody looks at it", headers=TAR)

    assert refusal(answer) == (422, "network-forbidden")


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("db:10.0.0.1", True),
        ("db=10.0.0.1", True),
        ("db:::1", True),
        ("db=[::1]", True),
        ("db:host-gateway", False),
        ("db:elsewhere.example", False),
    ],
)
def test_extra_host_is_a_name_and_an_address(small: HttpApi, line: str, taken: bool) -> None:
    answer = small.ask(script("FROM base"), extra_hosts=[line], network="none", timeout=60)

    if taken:
        small.cancel(answer.json()["id"])
    else:
        assert refusal(answer) == (422, "extra-host-invalid")


def test_hosts_network_is_there_for_projects_that_have_it(api: HttpApi) -> None:
    api.succeed(
        script("FROM base", f"RUN cat /proc/net/dev # {once()}"), network="host", extra_hosts=["here:host-gateway"]
    )


@pytest.mark.parametrize("flag", ["--network=host", "--security=insecure"])
@pytest.mark.parametrize("builder", ["buildkit", "classic"])
def test_dockerfile_can_not_take_what_its_project_has_not(api: HttpApi, builder: str, flag: str) -> None:
    """The daemon grants these only to builds that ask for them, and none does: `host` is asked for by `network`."""
    job = api.build(script("FROM base", f"RUN {flag} echo it ran # {once()}"), builder=builder)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert not job.error.retryable
    assert "it ran\n" not in api.log(job.id)


def test_bytes_beyond_the_limit_are_not_stored(small: HttpApi) -> None:
    fits = small.http.post("/v1/contexts", content=tar_of({"a": bytes(120_000)}), headers=TAR)
    refused = small.http.post("/v1/contexts", content=tar_of({"b": bytes(120_000)}), headers=TAR)
    archive = small.http.post("/v1/artifacts", content=bytes(120_000), headers=TAR)
    pack = small.http.post("/v1/packs", content=wire(bytes(120_000)))
    again = small.http.post("/v1/contexts", content=tar_of({"c": bytes(1000)}), headers=TAR)

    assert fits.status_code == 201
    assert refusal(refused) == (413, "storage-full")
    assert refusal(archive) == (413, "storage-full")
    assert refusal(pack) == (413, "storage-full")
    assert again.status_code == 201


@contextmanager
def connected(api: HttpApi, head: str) -> Iterator[socket.socket]:
    """A connection on which a request has begun."""
    url = httpx.URL(api.url)
    with socket.create_connection((url.host, url.port or 0), timeout=20) as connection:
        token = api.http.headers["Authorization"]
        connection.sendall(f"{head}\r\nHost: x\r\nAuthorization: {token}\r\n".encode())
        yield connection


@pytest.mark.parametrize(
    ("path", "kind"), [("contexts", "x-tar"), ("artifacts", "x-tar"), ("builds", "json"), ("commits", "json")]
)
def test_body_that_stops_coming_is_given_up(hasty: HttpApi, path: str, kind: str) -> None:
    with connected(hasty, f"POST /v1/{path} HTTP/1.1") as connection:
        connection.sendall(f"Content-Type: application/{kind}\r\nContent-Length: 99\r\n\r\n{{".encode())
        answer = b"".join(iter(lambda: connection.recv(10_000), b""))

    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"body-timeout"' in answer


@pytest.mark.parametrize("head", [b"", b"GET /healthz HTTP/1.1\r\nHost:"])
def test_connection_without_a_whole_head_is_closed(hasty: HttpApi, head: bytes) -> None:
    url = httpx.URL(hasty.url)
    with socket.create_connection((url.host, url.port or 0), timeout=20) as connection:
        connection.sendall(head)

        assert connection.recv(100) == b""


def test_head_that_never_ends_is_refused_before_its_time_is_over(hasty: HttpApi) -> None:
    url = httpx.URL(hasty.url)
    with socket.create_connection((url.host, url.port or 0), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 70_000)

        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_body_that_trickles_is_given_up(hasty: HttpApi) -> None:
    with connected(hasty, "POST /v1/contexts HTTP/1.1") as connection:
        connection.sendall(b"Content-Type: application/x-tar\r\nContent-Length: 99999\r\n\r\n")
        ready: list[Any] = []
        for _ in range(100):
            connection.sendall(b"x")
            ready, *_ = select.select([connection], [], [], 0.2)
            if ready:
                break

        assert ready
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("path", ["commits", "builds", "pulls"])
def test_json_that_is_too_large_is_not_read_whole(small: HttpApi, path: str) -> None:
    answer = small.http.post(
        f"/v1/{path}", content=b'"' + b"x" * 9 * 2**20, headers={"Content-Type": "application/json"}
    )

    assert refusal(answer) == (413, "body-too-large")


def test_answers_tell_browsers_to_keep_out(api: HttpApi) -> None:
    for path in ("/healthz", "/v1/jobs", "/v1/nowhere"):
        headers = api.http.get(path, headers={"Origin": "https://elsewhere.example"}).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert not {"server", "access-control-allow-origin"} & set(headers)


@pytest.mark.parametrize(("given", "taken"), [("ab-1.2_C", True), ("", False), ("a b", False), ("x" * 65, False)])
def test_request_id_is_taken_over_if_it_is_one(api: HttpApi, given: str, taken: bool) -> None:
    answered = api.http.get("/healthz", headers={"X-Request-Id": given}).headers["x-request-id"]

    assert (answered == given) is taken
    assert len(answered) in (len(given), 32)


def test_same_context_again_counts_once(stack: Stack, api: HttpApi) -> None:
    before = kept(stack)
    context = tar_of({"a": once().encode() * 1000})
    api.upload(context)
    api.upload(context)

    assert len(kept(stack).files - before.files) == 2  # a manifest and one blob
    assert not orphans(stack)


def test_requests_beyond_the_pace_are_told_to_wait(server: RedisServer, tmp_path: Path) -> None:
    with limited(server, tmp_path, max_requests="0.5") as api:
        answers = [api.http.get("/v1/jobs") for _ in range(4)]
        health = [api.http.get("/healthz") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert refusal(answers[-1]) == (429, "too-many-requests")
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert {answer.status_code for answer in health} == {200}
