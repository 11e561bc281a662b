"""Secrets planted wherever a secret can be, and looked for wherever it must not be."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from deploy.local.dockerd import Dockerd
from deploy.local.plain_http import PLAIN
from deploy.local.registry import Registry
from deploy.local.stack import Plan, Stack
from deploy.local.waiting import wait_until
from shipway.models.job import JobState
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.support.collector import Collector


@pytest.fixture(scope="module")
def traced(
    collector: Collector, dockerd: Dockerd, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack that tells all it can, traces included."""
    plan = Plan(tmp_path_factory.mktemp("traced"), env=collector.env)
    with Stack(plan, registry=registry, dockerd=dockerd) as running:
        yield running


@pytest.fixture
def api(traced: Stack) -> Iterator[HttpApi]:
    with HttpApi(traced.service.url, traced.token) as client:
        yield client


class Canaries:
    """Words that nobody else would write, plain and as base64."""

    def __init__(self) -> None:
        self.secret, self.password, self.unused = (f"canary-{once()}" for _ in range(3))

    def in_text(self, text: str | bytes) -> set[str]:
        """Which of them a text holds."""
        raw = text.encode() if isinstance(text, str) else text
        forms = {word: (word.encode(), base64.b64encode(word.encode())[:-4]) for word in vars(self).values()}
        return {word for word, shapes in forms.items() if any(shape in raw for shape in shapes)}

    def in_files(self, folder: Path) -> dict[str, set[str]]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path): found for path in files if (found := self.in_text(path.read_bytes()))}


def processes() -> Iterator[tuple[str, bytes]]:
    """What the arguments and environments of all processes hold."""
    for entry in Path("/proc").iterdir():
        for name in ("cmdline", "environ"):
            try:
                yield str(entry / name), (entry / name).read_bytes()
            except (OSError, NotADirectoryError):  # no process, or it ended meanwhile
                continue


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
def test_no_secret_is_found_anywhere(
    api: HttpApi, traced: Stack, collector: Collector, dockerd: Dockerd, registry: Registry, builder: str
) -> None:
    canaries, mark = Canaries(), once()
    shown = "RUN --mount=type=secret,id=key cat /run/secrets/key; base64 /run/secrets/key; printf canary-; sleep 3"
    line = shown if builder == "buildkit" else "RUN sleep 3"
    tag = f"{registry.address}/canaries/{once()}:1"
    job = api.submit(
        script("FROM base", f"{line} # {mark}"),
        builder=builder,
        tags=[tag],
        push=True,
        secrets={"key": base64.b64encode(canaries.secret.encode()).decode()},
        registries={
            registry.address: {"username": "ada", "password": canaries.password},
            "elsewhere.example": {"username": "ada", "password": canaries.unused},
        },
    )
    assert wait_until(lambda: api.job(job.id).state is JobState.RUNNING)

    in_processes = {name: found for name, text in processes() if (found := canaries.in_text(text))}
    done = api.wait(job.id)
    spans = wait_until(lambda: any(mark in span.name for span in list(collector.spans)), 30)
    with redis.Redis.from_url(traced.redis.url) as connection:
        connection.save()
        keys = [key for key in connection.scan_iter("*") if b"credentials" in key and job.id.encode() in key]
    told = {
        "record": api.http.get(f"/v1/jobs/{job.id}").text,
        "events": api.http.get(f"/v1/jobs/{job.id}/events").text,
        "log": api.log(job.id),
        "jobs": api.http.get("/v1/jobs").text,
        "metrics": api.http.get("/metrics").text,
        "metrics of the worker": httpx.get(traced.workers["local-1"].metrics_url, **PLAIN).text,
        "history": dockerd.docker("history", "--no-trunc", tag).stdout,
        "image": dockerd.docker("inspect", tag).stdout,
    }

    assert done.state is JobState.SUCCEEDED, done.error
    assert spans
    assert canaries.in_text(collector.raw) == set()
    assert in_processes == {}
    assert [where for where, text in told.items() if canaries.in_text(text)] == []
    assert canaries.in_files(traced.plan.state) == {}
    assert canaries.in_files(traced.redis.state) == {}
    assert keys == []
    if builder == "buildkit":
        assert told["log"].count("***") == 2


def test_secret_in_the_words_of_a_failing_step_is_masked(api: HttpApi, collector: Collector) -> None:
    canaries, mark = Canaries(), once()
    job = api.build(
        script("FROM base", f"RUN --mount=type=secret,id=key cat /run/secrets/key >&2; exit 3 # {mark}"),
        secrets={"key": base64.b64encode(canaries.secret.encode()).decode()},
    )

    assert wait_until(lambda: any(span.failed and mark in span.name for span in list(collector.spans)), 30)
    assert job.error is not None
    assert job.error.slug == "step-failed"
    assert canaries.in_text(job.model_dump_json() + api.log(job.id)) == set()
    assert canaries.in_text(collector.raw) == set()
    assert "***" in api.log(job.id)


def test_keys_of_the_operator_reach_no_process_but_the_workers_own(traced: Stack) -> None:
    key = traced.shared.secret_key.encode()
    holding = [name.split("/")[2] for name, text in processes() if key in text]
    commands = [(Path("/proc") / pid / "cmdline").read_bytes() for pid in holding]

    assert all(b"uvicorn" in one or b"celery" in one or b"pytest" in one for one in commands), commands
