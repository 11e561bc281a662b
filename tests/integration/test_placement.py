"""Where builds are placed: `placing.lua` on a real Redis, with workers that only say that they exist."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from deploy.local.redis import RedisServer
from shipway.models.job import Job, JobState
from shipway.models.spec import SHARED_QUEUE, BuildSpec, own_queue
from shipway.models.worker import Worker, WorkerState
from shipway.settings import Settings
from shipway.storage.jobs import JobStore
from shipway.storage.redis import connect
from shipway.storage.workers import WorkerRegistry

pytestmark = pytest.mark.engine_independent

SETTINGS = Settings(placement_wait=0.05, max_running=1000)
NAMES = st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=6)
OVER = 1.25
"""How many times its share a worker gets before another one is chosen."""


class Crew:
    """Workers that say that they are there, and the builds placed at them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.store = JobStore(redis, SETTINGS)
        self.registry = WorkerRegistry(redis)

    async def has(self, slots: Mapping[str, int], state: WorkerState = WorkerState.READY) -> None:
        for name, capacity in slots.items():
            await self.registry.announce(Worker(name=name, state=state, capacity=capacity, last_seen=0))

    async def placed(self, lineage: int, **options: object) -> Job:
        spec = BuildSpec(context="sha256:" + "0" * 64, tags=(f"image-{lineage}",)).model_copy(update=options)
        job_id, _ = await self.store.accept("p", spec)
        job = await self.store.get(job_id)
        assert job is not None
        return job

    async def map(self, lineages: Iterable[int]) -> dict[int, str | None]:
        """Where builds of these lineages go when nothing else waits."""
        found = {}
        for lineage in lineages:
            job = await self.placed(lineage)
            found[lineage] = job.placed
            await self.store.cancel(job.id)
        return found

    async def claim(self, worker: str, named: str = "") -> str | None:
        claim = await self.store.claim(worker, [own_queue(worker), SHARED_QUEUE], named)
        return claim.job.id if claim else None

    async def due(self) -> dict[str, str]:
        """Wait until a message is due, and say where it goes."""
        async with asyncio.timeout(10):
            while not (sent := (await self.store.overdue()).to_send):
                pass
        return sent


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterable[str]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
async def crew(url: str) -> AsyncIterator[Crew]:
    redis = connect(url)
    await redis.flushdb()
    yield Crew(redis)
    await redis.aclose()


def on_a_new_crew(url: str, story: object) -> None:
    async def told() -> None:
        redis = connect(url)
        await redis.flushdb()
        try:
            await story(Crew(redis))  # type: ignore[operator]
        finally:
            await redis.aclose()

    asyncio.run(told())


@settings(max_examples=6)
@given(slots=st.dictionaries(st.sampled_from("abcde"), st.integers(1, 4), min_size=1), builds=st.integers(1, 16))
def test_no_worker_gets_much_more_than_its_share(url: str, slots: dict[str, int], builds: int) -> None:
    async def story(crew: Crew) -> None:
        await crew.has(slots)
        count: Counter[str | None] = Counter()
        for _ in range(builds):
            count[(await crew.placed(lineage=0)).placed] += 1

        shares = {name: math.ceil(OVER * slots[name] * builds / sum(slots.values())) for name in slots}
        assert all(count[name] <= max(2 * slots[name], shares[name]) for name in slots)
        assert sum(count.values()) == sum(count[name] for name in slots) == builds

    on_a_new_crew(url, story)


@settings(max_examples=6)
@given(names=NAMES, leaving=st.integers(0, 5))
def test_worker_that_leaves_or_joins_moves_only_what_is_its_own(url: str, names: set[str], leaving: int) -> None:
    async def story(crew: Crew) -> None:
        gone = sorted(names)[leaving % len(names)]
        await crew.has(dict.fromkeys(names, 1))
        before = await crew.map(range(6))
        again = await crew.map(range(6))
        await crew.registry.withdraw(gone)
        without = await crew.map(range(6))
        await crew.has({gone: 1})

        assert before == again == await crew.map(range(6))
        assert {lineage: name for lineage, name in before.items() if name != gone} == {
            lineage: name for lineage, name in without.items() if before[lineage] != gone
        }
        assert gone not in without.values()

    on_a_new_crew(url, story)


async def test_lineages_spread_over_the_workers(crew: Crew) -> None:
    await crew.has(dict.fromkeys("abc", 1))

    count = Counter((await crew.map(range(60))).values())

    assert set(count) == set("abc")
    assert min(count.values()) > 8


async def test_worker_that_takes_no_jobs_is_given_none(crew: Crew) -> None:
    await crew.has({"ready": 1})
    await crew.has({"ill": 1}, WorkerState.UNHEALTHY)
    await crew.has({"draining": 1})
    await crew.registry.drain("draining", on=True)

    assert set((await crew.map(range(20))).values()) == {"ready"}


async def test_worker_of_another_pool_is_given_none(crew: Crew) -> None:
    await crew.registry.announce(Worker(name="other", pool="other", capacity=1, last_seen=0))
    await crew.has({"own": 1})

    assert set((await crew.map(range(8))).values()) == {"own"}


async def test_build_is_placed_at_none_when_no_worker_is_ready_or_one_is_named(crew: Crew) -> None:
    nowhere = await crew.placed(lineage=0)
    await crew.has({"a": 1})
    named = await crew.placed(lineage=0, worker="b")

    assert (nowhere.placed, named.placed) == (None, None)
    assert await crew.claim("a") == nowhere.id
    assert await crew.claim("b") == named.id


async def test_others_may_take_a_build_only_when_its_worker_has_not_for_a_while(crew: Crew) -> None:
    await crew.has({"a": 1})
    job = await crew.placed(lineage=0)

    too_early = await crew.claim("b", job.id)
    sent = await crew.due()

    assert too_early is None
    assert sent == {job.id: SHARED_QUEUE}
    assert await crew.claim("b", job.id) == job.id


async def test_worker_prefers_what_is_placed_at_it_to_what_others_left(crew: Crew) -> None:
    await crew.has({"a": 1})
    left = await crew.placed(lineage=0)
    await crew.registry.withdraw("a")
    await crew.due()
    await crew.has({"b": 1})
    own = await crew.placed(lineage=0)

    assert [await crew.claim("b", left.id) for _ in range(3)] == [own.id, left.id, None]
    assert await crew.claim("a") is None  # nor does it stay where it was placed


async def test_message_that_was_used_up_for_another_job_is_sent_again_soon(crew: Crew) -> None:
    """Else a job that only one worker may take would wait for a message that others got."""
    named = await crew.placed(lineage=0, worker="a")
    urgent = await crew.placed(lineage=0, priority=0)

    assert await crew.claim("a", named.id) == urgent.id
    async with asyncio.timeout(3):
        assert await crew.due() == {named.id: own_queue("a")}


async def test_attempt_that_has_only_to_push_goes_to_the_worker_that_built(crew: Crew) -> None:
    await crew.has(dict.fromkeys("abcdef", 1))
    job = await crew.placed(lineage=0)
    other = next(name for name in "abcdef" if name != job.placed)
    await crew.due()
    claim = await crew.store.claim(other, [SHARED_QUEUE], job.id)
    assert claim is not None
    await crew.store.append(claim, 1, [], {"result": f'{{"image_id":"sha256:1","built_on":"{other}"}}'})
    await crew.store.requeue(job.id, 1, delay=0.01, counts=False, error=None)

    assert await crew.due() == {job.id: own_queue(other)}
    assert await crew.claim(other) == job.id
    await crew.store.settle(job.id, 2, JobState.SUCCEEDED)
