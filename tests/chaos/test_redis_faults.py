"""Redis that dies, hangs, is cut off, full, or comes back empty: refusals are clear, and what runs goes on."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from redis.exceptions import RedisError

from deploy.local.redis import RedisServer
from deploy.local.waiting import wait_until
from shipway.models.job import JobState
from shipway.models.spec import BuildSpec
from shipway.settings import Settings
from shipway.storage.jobs import JobStore
from shipway.storage.redis import connect
from tests.chaos.conftest import Measured, seconds
from tests.chaos.fleet import LEASE, Fleet, talk
from tests.chaos.invariants import broken, states, written
from tests.chaos.small_disk import SmallDisk
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import TAR, HttpApi
from tests.integration.leftovers import processes_with

ANSWER = 15.0
"""Seconds within which the service answers whatever Redis does."""


def build_of(fleet: Fleet) -> dict[str, object]:
    """The body of a request for a build, its context uploaded."""
    return {"context": fleet.api.upload(script("FROM base", f"RUN echo {once()}"))}


def asked(fleet: Fleet, body: dict[str, object], job_id: str) -> list[httpx.Response]:
    """The answers to one request of every sort, asked at once."""
    tar = tar_of(script("FROM base", f"RUN echo {once()}"))
    with HttpApi(fleet.api.url, fleet.api.token) as api, ThreadPoolExecutor(16) as pool:
        requests = [
            ("GET", "/readyz", {}),
            ("GET", "/metrics", {}),
            ("GET", "/v1/workers", {}),
            ("GET", "/v1/jobs", {}),
            ("GET", f"/v1/jobs/{job_id}", {}),
            ("POST", f"/v1/jobs/{job_id}/cancel", {}),
            ("POST", "/v1/builds", {"json": body}),
            ("POST", "/v1/builds?t=a", {"content": tar, "headers": TAR}),
            ("POST", "/v1/contexts", {"content": tar, "headers": TAR}),
            ("GET", f"/v1/jobs/{job_id}/events", {}),
            ("GET", f"/v1/jobs/{job_id}/log", {}),
        ]
        futures = [pool.submit(api.http.request, method, path, **more) for method, path, more in requests]  # type: ignore[arg-type]
        return [future.result() for future in futures]


def check_refusals(answers: list[httpx.Response]) -> None:
    for answer in answers:
        assert answer.status_code == 503, (answer.request.url, answer.status_code, answer.text)
        assert answer.headers["Retry-After"].isdigit()
        assert answer.json()["error"]["slug"] == "redis-unavailable"
        assert answer.json()["error"]["retryable"] is True


def jobs_in(fleet: Fleet) -> int:
    with fleet.records() as redis:
        return len(list(redis.scan_iter("shipway:job:*:events")))


@contextmanager
def away(fleet: Fleet) -> Iterator[None]:
    fleet.redis.child.kill()
    try:
        yield
    finally:
        fleet.redis.start()


def test_redis_killed_in_mid_build_loses_and_doubles_nothing(fleet: Fleet, measured: Measured) -> None:
    job, worker, _ = fleet.running(talk(5))

    with away(fleet):
        before = time.monotonic()
    assert wait_until(fleet.services[0].ready, 60)
    measured("from its start to new jobs being accepted", time.monotonic() - before)
    ended = fleet.api.wait(job.id)

    assert (ended.state, ended.attempt, ended.worker) == (JobState.SUCCEEDED, 1, worker)
    assert written(fleet.api.events(job.id), 1) == [f"line {n}" for n in range(1, 26)]
    assert broken(fleet.api, job.id) == []


def test_redis_away_for_a_while(fleet: Fleet, measured: Measured) -> None:
    job, _, _ = fleet.running(talk(8))
    body = build_of(fleet)
    before = jobs_in(fleet)

    with away(fleet):
        gone = time.monotonic()
        answers = asked(fleet, body, job.id)
        measured("until every request was refused", time.monotonic() - gone)
        assert fleet.api.http.get("/healthz").status_code == 200
        assert wait_until(lambda: time.monotonic() - gone > seconds(short=5, long=65), 70)
    back = time.monotonic()
    fleet.api.http.get("/readyz").raise_for_status()
    fresh = fleet.api.succeed(script("FROM base", f"RUN echo {once()}"))
    measured("from the return of Redis to the end of a new build", time.monotonic() - back)
    ended = fleet.api.wait(job.id)
    measured("from the return of Redis to the end of the build of 8 s that ran", time.monotonic() - back)

    check_refusals(answers)
    assert (ended.state, fresh.state) == (JobState.SUCCEEDED, JobState.SUCCEEDED)
    assert jobs_in(fleet) == before + 1
    assert broken(fleet.api, job.id) == []
    with fleet.records() as redis:  # an outage of Redis is nobody's failed attempt
        assert redis.hget(f"shipway:job:{job.id}", "losses") == "0"


def test_redis_replaced_by_an_empty_one(fleet: Fleet, measured: Measured) -> None:
    word = once()
    job, _, _ = fleet.running(talk(60, word))

    fleet.redis.child.kill()
    shutil.rmtree(fleet.redis.state / "appendonlydir")
    fleet.redis.start()
    fleet.issue_tokens()
    back = time.monotonic()
    assert wait_until(lambda: not processes_with(word), 60)  # nobody wants that build any more
    ended = [fleet.api.succeed(script("FROM base", f"RUN echo {once()}")) for _ in range(2)]
    measured("until new builds were done", time.monotonic() - back)
    pinned = [fleet.api.succeed(script("FROM base", f"RUN echo {once()}"), worker=name) for name in fleet.workers]

    assert fleet.api.http.get(f"/v1/jobs/{job.id}").status_code == 404
    assert {one.attempt for one in [*ended, *pinned]} == {1}
    assert [one.worker for one in pinned] == list(fleet.workers)


def test_hung_redis_is_told_in_time_and_accepts_nothing_later(fleet: Fleet, measured: Measured) -> None:
    job = fleet.api.succeed(script("FROM base", f"RUN echo {once()}"))
    body = build_of(fleet)
    before = jobs_in(fleet)

    os.kill(fleet.redis.child.pid, signal.SIGSTOP)
    try:
        hung = time.monotonic()
        answers = asked(fleet, body, job.id)
        took = time.monotonic() - hung
        measured("until every request was refused", took)
    finally:
        os.kill(fleet.redis.child.pid, signal.SIGCONT)
    assert wait_until(fleet.services[0].ready, 60)
    fresh = fleet.api.succeed(script("FROM base", f"RUN echo {once()}"))

    check_refusals(answers)
    assert took < ANSWER
    assert fresh.state is JobState.SUCCEEDED
    assert jobs_in(fleet) == before + 1


@pytest.mark.parametrize("link", ["worker", "service"])
def test_link_to_redis_that_breaks_again_and_again(fleet: Fleet, link: str) -> None:
    job, worker, _ = fleet.running(talk(5))
    proxy = fleet.to_redis[worker if link == "worker" else "service"]

    for _ in range(8):
        before = len(fleet.so_far(job.id))
        proxy.blink()
        assert wait_until(lambda: fleet.api.job(job.id).state.final or len(fleet.so_far(job.id)) > before, 60)  # noqa: B023
    seen: list[int] = []
    while not seen or not fleet.api.job(job.id).state.final:
        seen += [sent.id for sent in fleet.api.follow(job.id, {"Last-Event-ID": str(len(seen))})]
    ended = fleet.api.job(job.id)

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    assert seen == list(range(1, ended.events + 1))
    assert written(fleet.api.events(job.id), 1) == [f"line {n}" for n in range(1, 26)]
    assert broken(fleet.api, job.id) == []


def test_full_redis_refuses_new_jobs_and_keeps_what_runs(fleet: Fleet, measured: Measured) -> None:
    job, _, _ = fleet.running(talk(3))
    body = build_of(fleet)
    with fleet.records() as redis:
        redis.config_set("maxmemory", 1)
        try:
            answers = [fleet.api.http.post("/v1/builds", json=body) for _ in range(3)]
            lease = float(redis.zscore("shipway:running", job.id) or 0)
            assert wait_until(lambda: float(redis.zscore("shipway:running", job.id) or 0) > lease + LEASE * 1000, 60)
            running = fleet.api.job(job.id)
        finally:
            redis.config_set("maxmemory", 0)
    free = time.monotonic()
    ended = fleet.api.wait(job.id)
    accepted = fleet.api.http.post("/v1/builds", json=body)
    measured("from free memory to the end of the build that waited", time.monotonic() - free)

    check_refusals(answers)
    assert (running.state, running.attempt) == (JobState.RUNNING, 1)
    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    assert written(fleet.api.events(job.id), 1) == [f"line {n}" for n in range(1, 16)]
    assert accepted.status_code == 202
    assert states(fleet.api.events(accepted.json()["id"]))[-1] == "succeeded"


async def test_redis_whose_disk_is_full_keeps_what_it_accepted(tmp_path: Path) -> None:
    """With `appendfsync always` it ends itself rather than forget: its supervisor starts it again."""
    spec, accepted = BuildSpec(context="sha256:" + "0" * 64), []
    with SmallDisk(tmp_path / "disk", 16) as disk, RedisServer(disk.path / "redis") as server:
        redis = connect(server.url)
        jobs = JobStore(redis, Settings())
        with disk.filled(leaving=0.1), pytest.raises(RedisError):  # noqa: PT012  (room for some)
            while True:
                accepted.append((await jobs.accept("project", spec))[0])
        assert wait_until(lambda: not server.child.alive, 30)
        server.start()
        kept = [job.id for job in await jobs.page("project", None, 1000)]
        again, _ = await jobs.accept("project", spec)
        found = await jobs.get(again)
        await redis.aclose()

    assert accepted
    assert sorted(kept) == sorted(accepted)
    assert found is not None
