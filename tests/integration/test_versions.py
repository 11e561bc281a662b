"""Parts of different versions side by side: what a newer one adds does no harm to an older one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis

from deploy.local.stack import Stack
from shipway.models.event import LogChunk, Unknown
from shipway.models.job import Job, JobState
from shipway.queue import TASK, celery_app
from shipway.storage import keys
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, refusal

pytestmark = pytest.mark.engine_independent


@pytest.fixture
def database(stack: Stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.redis.url, decode_responses=True) as connection:
        yield connection


def queued(api: HttpApi) -> Job:
    return api.submit(script("FROM base", f"RUN echo {once()}"))


def test_fields_that_a_newer_service_adds_are_passed_over(api: HttpApi, stack: Stack, database: redis.Redis) -> None:
    with api.busy():
        job = queued(api)
        spec = json.loads(database.hget(keys.job(job.id), "spec") or "")
        database.hset(keys.job(job.id), mapping={"spec": json.dumps(spec | {"novelty": [1]}), "novelty": "2"})
        sender = celery_app(stack.redis.url)
        sender.send_task(TASK, args=[job.id], kwargs={"novelty": 3}, queue="shipway")
        sender.close()
    ended = api.wait(job.id)

    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)
    assert database.hget(keys.job(job.id), "novelty") == "2"


def test_job_of_a_newer_version_is_left_to_newer_workers(api: HttpApi, stack: Stack, database: redis.Redis) -> None:
    with api.busy():
        job = queued(api)
        database.hset(keys.job(job.id), "version", 99)
    api.succeed(script("FROM base", f"RUN echo {once()}"))  # its message is behind the other one
    told = refusal(api.http.get(f"/v1/jobs/{job.id}"))
    untouched = database.hmget(keys.job(job.id), "state", "attempt")
    database.hset(keys.job(job.id), "version", 1)
    database.zadd(keys.QUEUED, {job.id: 0})  # as when a newer worker sends its message again
    ended = api.wait(job.id)

    assert told == (503, "record-newer")
    assert untouched == ["queued", "0"]
    assert (ended.state, ended.attempt) == (JobState.SUCCEEDED, 1)


def test_events_that_a_newer_worker_adds_are_handed_on(api: HttpApi, database: redis.Redis) -> None:
    body = {"type": "novelty", "deep": {"er": 1}}
    with api.busy():  # so that nobody else counts up its events
        job = queued(api)
        number = database.hincrby(keys.job(job.id), "events", 1)
        database.xadd(keys.events(job.id), {"at": 1, "attempt": 0, "body": json.dumps(body)}, id=f"{number}-0")
    ended = api.wait(job.id)
    events = api.events(job.id)

    assert ended.state is JobState.SUCCEEDED
    assert [event.seq for event in events] == list(range(1, ended.events + 1))
    assert [e.body.model_dump() for e in events if isinstance(e.body, Unknown)] == [body]
    assert any(isinstance(event.body, LogChunk) for event in events)
