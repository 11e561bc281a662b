"""What the metrics say is what happened: compared with known builds and with the daemon's own account of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.dockerd import Dockerd
from deploy.local.plain_http import PLAIN
from deploy.local.servers import authorization
from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import HttpApi, user_steps

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])
CACHED_BY_BUILDKIT = re.compile(r"^#(\d+) CACHED$", re.MULTILINE)
STEP = re.compile(r"\[(?:\S+ )?\d+/\d+\] ")
NAMED_BY_BUILDKIT = re.compile(r"^#(\d+) (\[.*\].*)$", re.MULTILINE)


class Metrics:
    """All samples of one scrape."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.text = httpx.get(url, headers=headers, **PLAIN).raise_for_status().text
        self.families = list(text_string_to_metric_families(self.text))
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def get(self, name: str, **labels: str) -> float:
        """One sample; 0 for what has not happened yet."""
        return self._samples.get((name, frozenset(labels.items())), 0)


def of_worker(stack: Stack) -> Metrics:
    return Metrics(stack.workers["local-1"].metrics_url)


def of_service(stack: Stack) -> Metrics:
    return Metrics(f"{stack.service.url}/metrics", authorization(stack.token))


def grown(before: Metrics, after: Metrics, name: str, **labels: str) -> float:
    return after.get(name, **labels) - before.get(name, **labels)


def cached_by_docker(dockerd: Dockerd, folder: Path, files: Mapping[str, bytes]) -> int:
    """Build the same with `docker build` on BuildKit, and count the steps that it says were cached."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    ran = dockerd.docker("build", "--progress=plain", folder)
    assert ran.returncode == 0, ran.stderr
    names = dict(NAMED_BY_BUILDKIT.findall(ran.stdout + ran.stderr))
    cached = {names[number] for number in CACHED_BY_BUILDKIT.findall(ran.stdout + ran.stderr)}
    return sum(STEP.match(name) is not None and "FROM" not in name for name in cached)


def images(dockerd: Dockerd) -> set[str]:
    """All images of a daemon: the classic builder makes one with each step that it runs."""
    return set(dockerd.docker("images", "--all", "--quiet", "--no-trunc").stdout.split())


def test_steps_and_hit_ratio_are_what_buildkit_reports(
    api: HttpApi, stack: Stack, dockerd: Dockerd, tmp_path: Path
) -> None:
    word = once()
    files = {**script("FROM base", "COPY a /a", f"RUN echo {word}", "RUN cat /a > /b"), "a": word.encode()}

    start = of_worker(stack)
    first = api.succeed(files)
    middle = of_worker(stack)
    second = api.succeed(files)
    end = of_worker(stack)

    def steps(before: Metrics, after: Metrics, result: str) -> float:
        return grown(before, after, "shipway_steps_total", builder="buildkit", result=result)

    assert (steps(start, middle, "executed"), steps(start, middle, "cached")) == (3, 0)
    assert (steps(middle, end, "executed"), steps(middle, end, "cached")) == (0, 3)
    assert cached_by_docker(dockerd, tmp_path, files) == 3
    assert (first.cache_hit_ratio, second.cache_hit_ratio) == (0, 1)
    assert grown(start, end, "shipway_cache_hit_ratio_count", builder="buildkit") == 2
    assert grown(start, end, "shipway_cache_hit_ratio_sum", builder="buildkit") == 1


def test_steps_that_ran_are_those_that_made_an_image_in_the_classic_builder(
    api: HttpApi, stack: Stack, dockerd: Dockerd
) -> None:
    word = once()
    files = script("FROM base", f"RUN echo {word}", "RUN true", f"RUN echo {word} again")

    start, none = of_worker(stack), images(dockerd)
    api.succeed(files, builder="classic")
    middle, three = of_worker(stack), images(dockerd)
    second = api.succeed(files, builder="classic")
    end, still_three = of_worker(stack), images(dockerd)

    executed = {"builder": "classic", "result": "executed"}
    assert grown(start, middle, "shipway_steps_total", **executed) == len(three - none) == 3
    assert grown(middle, end, "shipway_steps_total", **executed) == len(still_three - three) == 0
    assert grown(middle, end, "shipway_steps_total", builder="classic", result="cached") == 3
    assert second.cache_hit_ratio == 1


@BUILDERS
def test_seconds_are_those_that_the_build_took(api: HttpApi, stack: Stack, builder: str) -> None:
    start = of_worker(stack)

    job = api.succeed(script("FROM base", f"RUN sleep 1 # {once()}"), builder=builder)

    end = of_worker(stack)
    labels = {"builder": builder, "outcome": "succeeded"}
    took = grown(start, end, "shipway_build_seconds_sum", **labels)
    assert grown(start, end, "shipway_build_seconds_count", **labels) == 1
    assert took == pytest.approx(job.timings.phases["build"], abs=0.05)
    ran = next(s for s in user_steps(job) if "sleep" in s.name)
    assert 1 <= (ran.completed or 0) - (ran.started or 0) <= took
    assert grown(start, end, "shipway_queue_seconds_count", kind="build") == 1
    waited = (job.timings.started or 0) - job.timings.created
    assert grown(start, end, "shipway_queue_seconds_sum", kind="build") == pytest.approx(waited, abs=0.01)


@BUILDERS
def test_time_saved_is_what_the_cached_steps_took_when_they_last_ran(api: HttpApi, builder: str) -> None:
    word, name = once(), f"saved-{once()}"
    steps = ["FROM base", f"RUN sleep 1 # {word}", "COPY a /a"]

    first = api.succeed({**script(*steps), "a": b"1"}, tags=[name], builder=builder)
    second = api.succeed({**script(*steps, "RUN true"), "a": b"2"}, tags=[name], builder=builder)
    elsewhere = api.succeed({**script(*steps), "a": b"1"}, tags=[f"{name}-elsewhere"], builder=builder)

    slept = next(step for step in first.steps if "sleep" in step.name)
    assert first.result.seconds_saved is None
    assert second.result.seconds_saved == pytest.approx((slept.completed or 0) - (slept.started or 0), abs=0.01)
    assert elsewhere.result.seconds_saved is None


def test_attempts_count_by_how_they_ended(api: HttpApi, stack: Stack) -> None:
    start = of_worker(stack)

    api.succeed(script("FROM scratch", f"LABEL word={once()}"))
    api.build(script("FROM base", f"RUN exit 3 # {once()}"))
    cancelled = api.submit(script("FROM base", f"RUN echo on; sleep 600 # {once()}"))
    api.wait_for_text(cancelled.id, "on")
    running = of_worker(stack).get("shipway_jobs_running", kind="build")
    api.cancel(cancelled.id)
    api.wait(cancelled.id)

    assert running == 1
    outcomes = ("succeeded", "step-failed", "cancelled")
    assert wait_until(
        lambda: (
            [
                grown(start, of_worker(stack), "shipway_jobs_total", kind="build", outcome=outcome)
                for outcome in outcomes
            ]
            == [1, 1, 1]
        )
    )
    assert wait_until(lambda: of_worker(stack).get("shipway_jobs_running", kind="build") == 0)


def test_bytes_of_context_are_those_that_the_daemon_asked_for(api: HttpApi, stack: Stack) -> None:
    word, name = once(), f"bytes-{once()}"
    files = {**script("FROM scratch", "COPY big /big"), "big": word.encode() * 10_000, "unused": bytes(5000)}
    start, received = of_worker(stack), of_service(stack)

    first = api.succeed(files, tags=[name])
    middle = of_worker(stack)
    second = api.succeed(files, tags=[name], no_cache=True)
    end = of_worker(stack)

    sent = grown(start, middle, "shipway_context_sent_bytes_total")
    assert sent == first.result.context_sent >= 320_000
    assert grown(middle, end, "shipway_context_sent_bytes_total") == second.result.context_sent < 1000
    assert grown(middle, end, "shipway_context_spared_bytes_total") == second.result.context_spared >= 320_000
    uploaded = 2 * len(tar_of(files))
    assert grown(received, of_service(stack), "shipway_context_received_bytes_total") == uploaded


def test_pushes_are_timed(api: HttpApi, stack: Stack) -> None:
    assert stack.registry is not None
    tag, start = f"{stack.registry.address}/timed-{once()}:1", of_worker(stack)
    files = {**script("FROM scratch", "COPY a /a"), "a": once().encode()}

    job = api.succeed(files, tags=[tag], push=True)

    end = of_worker(stack)
    assert grown(start, end, "shipway_push_seconds_count", outcome="succeeded") == 1
    took = grown(start, end, "shipway_push_seconds_sum", outcome="succeeded")
    assert took == pytest.approx(job.timings.phases["push"], abs=0.1)
    assert grown(start, end, "shipway_push_bytes_total") > 0


def test_service_tells_queue_depth_and_capacity(api: HttpApi, stack: Stack) -> None:
    with api.busy():
        queued = [api.submit(script("FROM base", f"RUN echo {once()}")) for _ in range(3)]
        busy = of_service(stack)
        for job in queued:
            api.cancel(job.id)

    assert busy.get("shipway_queue_depth", queue="shipway") == 3
    assert busy.get("shipway_worker_capacity", worker="local-1") == 2
    assert busy.get("shipway_worker_running", worker="local-1") == 2
    assert busy.get("shipway_workers", state="ready") == 1
    idle = of_service(stack)
    assert idle.get("shipway_queue_depth", queue="shipway") == 0
    assert idle.get("shipway_worker_running", worker="local-1") == 0


def test_requests_count_by_route_and_not_by_path(api: HttpApi, stack: Stack) -> None:
    labels = {"method": "GET", "route": "/v1/jobs/{id}", "status": "404"}
    start = of_service(stack)

    for _ in range(3):
        api.http.get(f"/v1/jobs/{once()}")
    api.http.get(f"/{once()}")

    end = of_service(stack)
    assert grown(start, end, "shipway_http_requests_total", **labels) == 3
    routes = {s.labels["route"] for f in end.families for s in f.samples if "route" in s.labels}
    assert len(routes) < 60


def test_daemon_is_described(stack: Stack) -> None:
    metrics = of_worker(stack)

    assert metrics.get("shipway_daemon_up") == 1
    assert metrics.get("shipway_capacity") == 2
    assert 0 < metrics.get("shipway_daemon_disk_free_bytes") < metrics.get("shipway_daemon_disk_size_bytes")


@pytest.mark.parametrize("source", [of_worker, of_service])
def test_every_metric_is_ours_and_has_a_help_text(stack: Stack, source: type[Metrics]) -> None:
    families = source(stack).families  # type: ignore[arg-type]

    assert len(families) >= 6
    for family in families:
        assert family.name.startswith("shipway_")
        assert len(family.documentation.split()) >= 4, family.name
        assert "Multiprocess" not in family.documentation
