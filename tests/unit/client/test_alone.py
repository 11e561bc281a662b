"""The ground of commands: one thread, sockets of its own, no event loop."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shipway.client.alone import Alone, reachable_alone, run_alone
from shipway.client.connection import Connection
from shipway.client.upload import Upload
from shipway.client.wire import Wire
from shipway.exceptions import ClientError, NotFound, TooLarge
from shipway.models.event import LogChunk, StateChanged
from tests.unit.client.stand_in import DIGEST, JOB, StandIn, problem

TEXTS = [f"line {number}\n" for number in range(20)]


@pytest.fixture
def wire(service: StandIn) -> Iterator[Wire]:
    ground = Alone(service.url, 5, {})
    yield Wire(Connection(ground))
    run_alone(ground.close())


async def numbers(wire: Wire) -> list[int]:
    return [event["seq"] async for event in wire.events(JOB)]


def test_a_broken_stream_is_resumed_exactly(wire: Wire, service: StandIn) -> None:
    service.script(StateChanged(state="running"), *(LogChunk(step=1, text=text) for text in TEXTS))
    service.script(StateChanged(state="succeeded"))
    service.drops = [3, 0, 5]
    service.refuse(f"/v1/jobs/{JOB}/events", problem(503, "unavailable", "redis is away"))

    assert run_alone(numbers(wire)) == list(range(1, 23))
    assert service.asked_after == [0, 3, 3, 8]


async def begun(wire: Wire) -> tuple[str, list[int], str | None]:
    """State of the job when it was accepted, numbers of its events, and its state at the end if the stream told it."""
    job, follower = await wire.begin({"context": DIGEST})
    seen = [event["seq"] async for event in follower.events()]
    return job["state"], seen, follower.record["state"] if follower.record else None


@pytest.mark.parametrize("drops", [[], [5], [0]])
def test_one_request_tells_all_of_a_job_and_what_breaks_is_resumed(
    drops: list[int], wire: Wire, service: StandIn
) -> None:
    service.script(StateChanged(state="running"), *(LogChunk(step=1, text=text) for text in TEXTS))
    service.script(StateChanged(state="succeeded"))
    service.tells, service.drops = True, drops[:]

    state, seen, end = run_alone(begun(wire))

    assert (state, seen) == ("queued", list(range(1, 23)))
    assert (end, service.asked_after) == ((None, drops) if drops else ("succeeded", []))
    assert len(service.builds) == 1


def test_a_service_that_answers_with_the_record_alone_is_followed(wire: Wire, service: StandIn) -> None:
    service.script(StateChanged(state="succeeded"))

    assert run_alone(begun(wire))[1:] == ([1], None)


def test_things_done_together_all_end_before_a_failure_is_told(wire: Wire, service: StandIn) -> None:
    async def ask(job_id: str) -> None:
        await wire.job(job_id)

    service.script(StateChanged(state="running"))
    with pytest.raises(ExceptionGroup) as raised:
        run_alone(wire.connection.ground.together([ask(JOB), ask("NOSUCHJOB"), ask(JOB)]))

    assert [type(fault) for fault in raised.value.exceptions] == [NotFound]


def test_requests_share_a_connection_and_refusals_keep_their_slugs(wire: Wire, service: StandIn) -> None:
    service.script(StateChanged(state="running"))
    ground = wire.connection.ground
    assert isinstance(ground, Alone)

    assert run_alone(wire.job(JOB))["state"] == "running"
    (line,) = ground._idle
    with pytest.raises(NotFound) as raised:
        run_alone(wire.job("NOSUCHJOB"))

    assert ground._idle == [line]
    assert raised.value.slug == "job-unknown"


def test_what_is_uploaded_arrives_whole(wire: Wire, service: StandIn) -> None:
    chunks = [b"x" * 100_000, b"", b"y"]

    receipt = run_alone(wire.send(Upload(lambda: chunks, None, replayable=True)))

    assert receipt["digest"] == DIGEST
    assert service.contexts == [b"".join(chunks)]


def test_an_answer_that_comes_before_the_upload_is_through_is_read() -> None:
    """As a proxy refuses a body that is too long: it answers and hangs up."""
    body = b'{"error": {"slug": "context-too-large", "message": "too much"}}'
    with answering(
        b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    ) as url:
        wire = Wire(Connection(Alone(url, 5, {})))
        endless = (b"x" * 65536 for _ in range(200))
        with pytest.raises((TooLarge, ClientError)) as raised:
            run_alone(wire.send(Upload(lambda: endless, None, replayable=False)))

    assert raised.value.slug in ("context-too-large", "service-unreachable")  # a reset may swallow the answer


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"])
def test_what_is_no_answer_of_a_service_is_told_as_such(answer: bytes) -> None:
    with answering(answer) as url:
        wire = Wire(Connection(Alone(url, 5, {})))
        with pytest.raises(ClientError) as raised:
            run_alone(wire.send(Upload(lambda: [b"x"], None, replayable=False)))

    assert raised.value.slug == "service-unreachable"


def test_a_silent_service_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wire = Wire(Connection(Alone(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.1, {})))
        with pytest.raises(ClientError, match="did not answer in time"):
            run_alone(wire.job(JOB))


def test_proxies_and_logins_in_urls_are_left_to_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert reachable_alone("https://build.example")
    assert not reachable_alone("https://user:word@build.example")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert not reachable_alone("https://build.example")
    assert reachable_alone("http://127.0.0.1:8470")


HEAVY = {
    "argcomplete",
    "asyncio",
    "dataclasses",
    "email",
    "h11",
    "httpx",
    "inspect",
    "platformdirs",
    "pydantic",
    "random",
    "rich",
    "shutil",
    "ssl",
    "subprocess",
    "tarfile",
}


def test_what_a_small_build_loads_is_light(service: StandIn, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    service.script(StateChanged(state="succeeded"))
    service.tells = True
    command = (
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "shipway.cli",
        "--url",
        service.url,
        "build",
        "-t",
        "a",
        tmp_path,
    )
    environment = {**os.environ, "HOME": str(tmp_path), "SHIPWAY_TOKEN": "token"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    told = (line.rpartition("|") for line in done.stderr.splitlines() if line.startswith("import time:"))
    loaded = {name.strip() for _, _, name in told}

    assert set() == loaded & HEAVY
    assert {name for name in loaded if "_command" in name} == {"shipway.cli.build_command"}


@contextmanager
def answering(text: bytes) -> Iterator[str]:
    """A server that answers whatever comes with the same bytes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(text)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)
