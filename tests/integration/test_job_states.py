"""A job's record under every order of events, and in some orders that chance seldom finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from redis.asyncio import Redis

from deploy.local.redis import RedisServer
from shipway.models.job import JobState
from shipway.models.spec import SHARED_QUEUE
from shipway.settings import Settings
from shipway.storage import keys
from shipway.storage.jobs import JobStore
from shipway.storage.redis import connect
from tests.integration.contexts import once
from tests.integration.job_states import LIMITS, PROBLEM, SPEC, JobStates, queues

pytestmark = pytest.mark.engine_independent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that nobody else uses: the test empties it again and again."""
    with RedisServer(tmp_path_factory.mktemp("redis"), extra=("--appendonly", "no")) as running:
        yield running


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    connection = connect(server.url)
    await connection.flushdb()
    yield connection
    await connection.aclose()


@pytest.mark.timeout(600)
def test_job_states_hold_in_every_order(server: RedisServer) -> None:
    class OnServer(JobStates):
        url = server.url

    run_state_machine_as_test(
        OnServer,
        settings=settings(max_examples=40, stateful_step_count=40),
    )


async def test_cancelled_job_whose_worker_died_is_not_tried_again(redis: Redis) -> None:
    """One order that chance seldom finds."""
    store = JobStore(redis, LIMITS)
    job_id, _ = await store.accept("p", SPEC)
    claim = await store.claim("one", queues("one"), job_id, once())
    await store.cancel(job_id)
    await redis.zadd(keys.RUNNING, {job_id: 1})

    state = await store.expire(job_id, PROBLEM, 0)

    job = await store.get(job_id)
    assert claim is not None
    assert job is not None
    assert (state, job.state, job.attempt, job.error) == ("cancelled", JobState.CANCELLED, 1, None)


async def test_end_of_a_job_sends_the_next_of_a_project_that_was_at_its_limit(redis: Redis) -> None:
    """Its message came while two ran and led to nothing; nobody waits until it is sent again by itself."""
    store = JobStore(redis, LIMITS)
    one, two = [(await store.accept("p", SPEC))[0] for _ in range(2)]
    claim = await store.claim("one", queues("one"), one)
    await store.claim("one", queues("one"), two)
    three, _ = await store.accept("p", SPEC)
    assert claim is not None

    too_early = await store.claim("one", queues("one"), three)
    sent_before = (await store.overdue()).to_send
    await store.settle(one, claim.attempt, JobState.SUCCEEDED)
    sent = (await store.overdue()).to_send

    assert (too_early, sent_before, sent) == (None, {}, {three: SHARED_QUEUE})


async def test_delayed_job_is_offered_when_its_time_has_come(redis: Redis) -> None:
    store = JobStore(redis, LIMITS)
    job_id, _ = await store.accept("p", SPEC)
    claim = await store.claim("one", queues("one"), job_id)
    assert claim is not None
    await store.requeue(job_id, claim.attempt, delay=0.05, counts=True, error=PROBLEM)

    too_early = await store.claim("one", queues("one"), job_id)
    sent: dict[str, str] = {}
    while not sent:
        sent = (await store.overdue()).to_send
    again = await store.claim("one", queues("one"), job_id)

    assert too_early is None
    assert sent == {job_id: SHARED_QUEUE}
    assert again is not None


async def test_thousand_jobs_of_one_project_hold_up_no_other(redis: Redis) -> None:
    """And a claim stays quick: it looks at projects, not at their jobs."""
    store = JobStore(redis, Settings())
    for _ in range(1000):
        await store.accept("many", SPEC)
    for slot in range(4):
        await store.claim("one", queues("one"), nonce=f"slot-{slot}")
    first, _ = await store.accept("few", SPEC)
    batch, _ = await store.accept("few", SPEC)
    urgent, _ = await store.accept("few", SPEC.model_copy(update={"priority": 0}))

    taken = [await store.claim("one", queues("one")) for _ in range(4)]

    assert [claim and claim.job.id for claim in taken[:3]] == [urgent, first, batch]
    assert [claim and claim.job.project for claim in taken] == ["few", "few", "few", "many"]
