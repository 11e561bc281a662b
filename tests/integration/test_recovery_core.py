"""A job outlives the process that runs it: leases, the reaper, lost and repeated messages, shutdown.

The whole fault suite is elsewhere; here each way of recovery is seen to work once, on a stack with short leases.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from celery import Celery

from deploy.local.dockerd import Dockerd
from deploy.local.plain_http import PLAIN
from deploy.local.stack import Plan, Stack
from deploy.local.waiting import wait_until
from shipway.models.event import Event, StateChanged
from shipway.models.job import Job, JobState
from shipway.models.spec import BuildSpec
from shipway.queue import TASK, Queue
from shipway.settings import Settings
from shipway.storage import keys
from shipway.storage.jobs import JobStore
from shipway.storage.redis import connect
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.integration.leftovers import processes_with

pytestmark = pytest.mark.engine_independent

LEASE, GRACE = 3, 1
WORKER = "local-1"
QUEUE = "shipway"


@pytest.fixture(scope="module")
def hasty(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own with one slot, short leases and little grace."""
    plan = Plan(
        tmp_path_factory.mktemp("hasty"),
        registry=False,
        concurrency=1,
        env={"SHIPWAY_LEASE": str(LEASE), "SHIPWAY_WORKER_GRACE": str(GRACE)},
    )
    with Stack(plan, dockerd=dockerd) as running:
        yield running


@pytest.fixture
def api(hasty: Stack) -> Iterator[HttpApi]:
    with HttpApi(hasty.service.url, hasty.token) as client:
        yield client


@pytest.fixture
def database(hasty: Stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(hasty.redis.url, decode_responses=True) as connection:
        yield connection


@pytest.fixture
def queue(hasty: Stack) -> Iterator[Queue]:
    sender = Queue(hasty.redis.url)
    yield sender
    sender.close()


def states(events: list[Event]) -> list[str]:
    return [e.body.state for e in events if isinstance(e.body, StateChanged)]


def pool_of(stack: Stack) -> list[int]:
    """Ids of the processes that a worker runs its jobs in."""
    main = stack.workers[WORKER].child.pid
    children = [(task / "children").read_text() for task in Path(f"/proc/{main}/task").iterdir()]
    return [int(pid) for pid in " ".join(children).split()]


def test_killed_pool_process_costs_one_attempt_and_no_job(api: HttpApi, hasty: Stack) -> None:
    word = once()
    job = api.submit(script("FROM base", f"RUN echo begun; sleep 3; echo done # {word}"))
    api.wait_for_text(job.id, "begun")

    for pid in pool_of(hasty):
        os.kill(pid, signal.SIGKILL)
    ended = api.wait(job.id)

    assert (ended.state, ended.attempt, ended.error) == (JobState.SUCCEEDED, 2, None)
    events = api.events(job.id)
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert states(events) == ["queued", "running", "queued", "running", "succeeded"]
    lost = [e.body.error for e in events if isinstance(e.body, StateChanged) and e.body.error]
    assert [problem.slug for problem in lost] == ["worker-lost"]
    assert [e.attempt for e in events] == sorted(e.attempt for e in events)
    assert processes_with(word) == []


def test_job_whose_workers_always_die_fails_in_the_end(api: HttpApi, hasty: Stack) -> None:
    job = api.submit(script("FROM base", f"RUN echo begun; sleep 600 # {once()}"))

    begun = 0
    for sent in api.follow(job.id):
        if "begun" in getattr(sent.event.body, "text", ""):
            begun += 1
            for pid in pool_of(hasty):
                os.kill(pid, signal.SIGKILL)

    ended = api.job(job.id)
    assert begun == 3
    assert ended.error is not None
    assert (ended.state, ended.attempt, ended.error.slug) == (JobState.FAILED, 3, "worker-lost")


async def test_repeated_message_does_nothing(api: HttpApi, queue: Queue) -> None:
    job = api.submit(script("FROM base", f"RUN echo begun; sleep 1 # {once()}"))
    api.wait_for_text(job.id, "begun")

    assert [await queue.enqueue(job) for _ in range(3)] == [True] * 3
    ended = api.wait(job.id)
    assert [await queue.enqueue(job) for _ in range(3)] == [True] * 3
    api.succeed(script("FROM base", f"RUN echo {once()}"))  # one slot: what was sent before has been received

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    assert api.job(job.id) == ended
    assert states(api.events(job.id)) == ["queued", "running", "succeeded"]


async def test_message_for_a_job_that_never_was_does_nothing(api: HttpApi, queue: Queue) -> None:
    job = api.succeed(script("FROM scratch", f"LABEL word={once()}"))

    await queue.enqueue(job.model_copy(update={"id": "01JZZZZZZZZZZZZZZZZZZZZZZZ"}))

    api.succeed(script("FROM scratch", f"LABEL word={once()}"))
    assert api.http.get("/v1/jobs/01JZZZZZZZZZZZZZZZZZZZZZZZ").status_code == 404


class Touching:
    """Makes a file wherever somebody unpickles it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self._path,)


def test_forged_messages_run_nothing(api: HttpApi, hasty: Stack, database: redis.Redis, tmp_path: Path) -> None:
    """Whoever reaches the broker can send anything."""
    proof = tmp_path / "it ran"
    ours = {"id": once(), "task": TASK}
    command: tuple[Any, ...] = ([f"touch '{proof}'"], {}, {})
    bodies: tuple[Any, ...] = (Touching(proof), ([Touching(proof)], {}, {}))
    with Celery(broker=hasty.redis.url) as forger, forger.connection_for_write() as connection:
        producer = connection.Producer()
        for header in (ours, ours | {"task": "celery.backend_cleanup"}, ours | {"task": "os.system"}):
            for body in bodies:
                producer.publish(body, routing_key=QUEUE, serializer="pickle", headers=header)
            producer.publish(command, routing_key=QUEUE, serializer="json", headers=header)
    job = api.succeed(script("FROM base", f"RUN echo {once()}"))

    assert job.attempt == 1
    assert hasty.workers[WORKER].child.alive
    assert wait_until(lambda: not database.llen(QUEUE))
    assert not proof.exists()


def test_lost_message_is_sent_again(api: HttpApi, database: redis.Redis) -> None:
    with api.busy(slots=1):
        job = api.submit(script("FROM base", f"RUN echo {once()}"))
        lists = [key for key in database.scan_iter(f"{QUEUE}*", _type="list") if job.id in _waiting(database, key)]
        assert len(lists) == 1
        database.delete(*lists)
    assert api.job(job.id).state is JobState.QUEUED

    database.zadd(keys.QUEUED, {job.id: 0})  # as if the time to send again had come

    assert api.wait(job.id).state is JobState.SUCCEEDED


async def test_record_without_any_message_is_found(api: HttpApi, hasty: Stack, database: redis.Redis) -> None:
    context = api.upload(script("FROM base", f"RUN echo {once()}"))
    connection = connect(hasty.redis.url)
    job_id, _ = await JobStore(connection, Settings()).accept("default", BuildSpec(context=context))
    await connection.aclose()

    database.zadd(keys.QUEUED, {job_id: 0})

    assert api.wait(job_id).state is JobState.SUCCEEDED


def test_stopping_worker_hands_its_job_back_at_no_cost(api: HttpApi, hasty: Stack, database: redis.Redis) -> None:
    word = once()
    job = api.submit(script("FROM base", f"RUN echo begun; sleep 4 # {word}"))
    api.wait_for_text(job.id, "begun")

    hasty.workers[WORKER].stop()
    handed_back = api.job(job.id)
    left = processes_with(word)
    hasty.workers[WORKER].start()
    ended = api.wait(job.id)

    assert (handed_back.state, handed_back.attempt, handed_back.error) == (JobState.QUEUED, 1, None)
    assert left == []
    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 2)
    assert database.hget(keys.job(job.id), "losses") == "0"
    events = api.events(job.id)
    assert states(events) == ["queued", "running", "queued", "running", "succeeded"]
    assert [e.seq for e in events] == list(range(1, len(events) + 1))


def test_stopping_worker_lets_a_short_job_finish(api: HttpApi, hasty: Stack) -> None:
    job = api.submit(script("FROM base", f"RUN echo begun; sleep 0.6 # {once()}"))
    api.wait_for_text(job.id, "begun")

    hasty.workers[WORKER].stop()
    ended = api.job(job.id)
    hasty.workers[WORKER].start()

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)


def test_stopped_worker_is_off_the_list_at_once(api: HttpApi, hasty: Stack) -> None:
    hasty.workers[WORKER].stop()
    listed = api.http.get("/v1/workers").json()["workers"]
    hasty.workers[WORKER].start()

    assert listed == []


def test_nothing_is_left_running_and_no_job_in_limbo(api: HttpApi, database: redis.Redis) -> None:
    """After all of the above: the sets that drive recovery are empty, and so is the worker's own."""
    assert wait_until(lambda: database.zcard(keys.RUNNING) == 0)
    assert database.zcard(keys.QUEUED) == 0
    assert database.scard(keys.worker_jobs(WORKER)) == 0
    jobs = [Job.model_validate(one) for one in api.http.get("/v1/jobs").json()["jobs"]]
    assert all(job.state.final for job in jobs)


def test_metrics_know_of_the_losses_and_of_no_dead_process(hasty: Stack) -> None:
    """After all of the above, again; the worker was started anew since then, so one more process is killed."""
    with HttpApi(hasty.service.url, hasty.token) as api:
        job = api.submit(script("FROM base", f"RUN echo begun; sleep 1 # {once()}"))
        api.wait_for_text(job.id, "begun")
        for pid in pool_of(hasty):
            os.kill(pid, signal.SIGKILL)
        api.wait(job.id)
    address = hasty.workers[WORKER].metrics_url

    def metrics() -> list[str]:
        return httpx.get(address, **PLAIN).text.splitlines()

    assert wait_until(lambda: 'shipway_jobs_running{kind="build"} 0.0' in metrics())
    assert "shipway_leases_lost_total 1.0" in metrics()
    assert "shipway_messages_resent_total 2.0" in metrics() or "shipway_messages_resent_total 1.0" in metrics()


def _waiting(database: redis.Redis, key: str) -> str:
    return "".join(map(str, database.lrange(key, 0, -1)))
