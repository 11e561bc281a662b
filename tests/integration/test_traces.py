"""Traces: one for a build, from the command through service and queue to each step, with nothing secret in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.registry import Registry
from deploy.local.stack import Plan, Stack
from deploy.local.waiting import wait_until
from tests.integration.command import Shipway, write
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.support.collector import Collected, Collector

pytestmark = pytest.mark.engine_independent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PLACE = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def traced(
    collector: Collector, dockerd: Dockerd, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack whose parts were asked for traces, with short leases."""
    env = {**collector.env, "SHIPWAY_LEASE": "3"}
    with Stack(Plan(tmp_path_factory.mktemp("traced"), env=env), registry=registry, dockerd=dockerd) as running:
        yield running


def named(spans: list[Collected], name: str) -> list[Collected]:
    return [span for span in spans if name in span.name]


def test_one_trace_leads_from_the_command_to_each_step(traced: Stack, collector: Collector, tmp_path: Path) -> None:
    assert traced.registry is not None
    word, secret = once(), once()
    steps = ("FROM base", f"RUN sleep 0.5 # {word}", "RUN --mount=type=secret,id=s cat /run/secrets/s")
    write(tmp_path, script(*steps) | {"s.txt": secret.encode()})
    shipway = Shipway(traced.service.url, traced.token, tmp_path, {**collector.env, "OTEL_SERVICE_NAME": "ci"})

    build = ("build", ".", "-t", f"{traced.registry.address}/traced-{word}:1", "--push", "--secret", "id=s,src=s.txt")
    shipway.ok(*build)

    def begun() -> Collected | None:
        return next((span for span in list(collector.spans) if span.name == "shipway build"), None)

    def whole() -> bool:
        """Whether the spans came that end last in each process, and the parents of all that came."""
        came = collector.of_trace(first.trace) if (first := begun()) else []
        return {"attempt 1", "POST /v1/builds"} <= {span.name for span in came} and {span.parent for span in came} <= {
            "",
            *(span.id for span in came),
        }

    assert wait_until(whole, 30), [(span.part, span.name, span.id, span.parent) for span in collector.spans]
    first = begun()
    assert first is not None
    assert first.parent == ""
    spans = collector.of_trace(first.trace)
    by_id = {span.id: span for span in spans}
    assert {span.part for span in spans} == {"ci", "shipway-service", "shipway-worker"}
    [ran] = named(spans, word)
    chain = [ran]
    while chain[-1].parent:
        chain.append(by_id[chain[-1].parent])
    assert [span.name for span in chain[1:]] == ["build", "attempt 1", "POST /v1/builds", "shipway build"]
    assert {"POST /v1/builds", "queue", "fetch", "build", "push"} <= {span.name for span in spans}
    assert 0.5 <= ran.end - ran.start < 5
    assert ran.attributes["shipway.step.status"] == "executed"
    [build_phase] = [span for span in spans if span.name == "build"]
    assert build_phase.start - 0.05 <= ran.start <= ran.end <= build_phase.end + 0.05
    assert all(span.start <= span.end for span in spans)
    for hidden in (secret, traced.token.rpartition("_")[2]):
        assert hidden.encode() not in collector.raw


def test_attempts_are_spans_of_their_own_in_the_trace_that_the_sender_began(
    traced: Stack, collector: Collector
) -> None:
    worker = traced.add_worker("doomed")
    with HttpApi(traced.service.url, traced.token) as api:
        files = script("FROM base", f"RUN echo up; sleep 600 # {once()}")
        answer = api.ask(files, headers={"traceparent": PLACE}, worker="doomed")
        job_id = answer.json()["id"]
        api.wait_for_text(job_id, "up")
        worker.child.kill()
        assert wait_until(lambda: bool(named(collector.of_trace(TRACE), "attempt 1")), 30)
        api.cancel(job_id)

        assert api.job(job_id).trace is not None
    [lost] = named(collector.of_trace(TRACE), "attempt 1")
    assert lost.failed
    assert [span.parent for span in named(collector.of_trace(TRACE), "POST")] == ["00f067aa0ba902b7"]


def test_nothing_is_imported_while_nobody_asks() -> None:
    code = "import sys, service.main, workers.tracing; service.main.create_app(); print('requests' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "False\n"
