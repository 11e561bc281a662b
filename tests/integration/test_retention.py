"""What ended is kept for a while and no longer: records, events, blobs. Every key has its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest
from redis.asyncio import Redis

from deploy.local.redis import RedisServer
from shipway.models.event import LogChunk
from shipway.models.job import JobState
from shipway.models.spec import BuildSpec
from shipway.settings import Settings
from shipway.storage import keys
from shipway.storage.blobs import BlobStore
from shipway.storage.events import EventLog
from shipway.storage.jobs import JobStore
from shipway.storage.redis import connect

pytestmark = pytest.mark.engine_independent

SPEC = BuildSpec(context="sha256:" + "0" * 64, tags=("a:1",))
DAY = 86_400.0
RETENTION = 7 * DAY
KEPT = 100
"""Ended jobs that these tests let a project keep."""


@dataclass
class Storage:
    """The stores on a Redis of their own."""

    redis: Redis
    jobs: JobStore
    events: EventLog
    blobs: BlobStore

    async def run(self, number: int) -> str:
        """Let one job go through all of its life."""
        job_id, _ = await self.jobs.accept("project", SPEC)
        claim = await self.jobs.claim("worker", [SPEC.queue()], job_id, str(number))
        assert claim is not None
        await self.jobs.append(claim, 1, [LogChunk(text=f"line {number}-{i}\n" * 5) for i in range(20)])
        await self.jobs.settle(job_id, claim.attempt, JobState.SUCCEEDED)
        await self.events.archive("project", job_id, 3600)
        return job_id


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    with RedisServer(tmp_path / "redis", extra=("--appendonly", "no")) as server:
        redis = connect(server.url)
        blobs = BlobStore((tmp_path / "store").as_uri(), redis, Settings(max_stored_bytes=2**20).limits_of, RETENTION)
        yield Storage(redis, JobStore(redis, Settings(max_jobs=KEPT)), EventLog(redis, blobs), blobs)
        await redis.aclose()


async def _used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


async def test_memory_stays_flat_however_many_jobs_have_run(storage: Storage) -> None:
    for number in range(3 * KEPT):
        await storage.run(number)
    before = await _used(storage.redis)

    for number in range(10 * KEPT):
        await storage.run(number)

    # What grows is one line per archived log in the list of what expires when: some 100 bytes each.
    grown = await _used(storage.redis) - before
    assert grown < 10 * KEPT * 250
    assert await storage.redis.zcard(keys.jobs("project")) <= KEPT + 1


async def test_every_key_but_the_named_few_has_an_end(storage: Storage) -> None:
    await storage.run(1)
    await storage.jobs.accept("project", SPEC, "sealed", ("key", "mark"))

    endless = [key async for key in storage.redis.scan_iter() if await storage.redis.ttl(key) < 0]

    assert [key for key in endless if not any(fnmatch(str(key), pattern) for pattern in keys.PERSISTENT)] == []


async def test_events_of_an_ended_job_are_read_from_the_archive_when_redis_has_let_them_go(storage: Storage) -> None:
    job_id = await storage.run(1)
    whole = [event async for event in storage.events.so_far("project", job_id)]
    await storage.redis.delete(keys.events(job_id))

    archived = [event async for event in storage.events.so_far("project", job_id)]
    rest = [event.seq async for event in storage.events.so_far("project", job_id, after=7)]

    assert archived == whole
    assert rest == list(range(8, len(whole) + 1))


async def test_blobs_that_nobody_kept_are_removed(storage: Storage) -> None:
    for name, seconds in (("old", -1.0), ("new", 3600.0)):
        async with storage.blobs.writing("project", name) as writer:
            await writer.write(b"content")
        await storage.blobs.keep("project", name, seconds)

    removed = await storage.blobs.expire()

    assert removed == 1
    assert await storage.blobs.size("project", "old") is None
    assert await storage.blobs.size("project", "new") == len(b"content")


async def test_crowded_project_lets_go_what_it_used_longest_ago(storage: Storage) -> None:
    ends = {"on-its-way": 0.5 * DAY, "oldest": 2 * DAY, "older": 3 * DAY, "used-today": RETENTION - 0.5 * DAY}
    for name, seconds in ends.items():
        await storage.blobs.put("project", {name: bytes(200 * 1024)})
        await storage.blobs.keep("project", name, seconds)
    await storage.blobs.put("other", {"theirs": bytes(10)})
    await storage.blobs.keep("other", "theirs", 1.5 * DAY)

    await storage.blobs.put("project", {"new": bytes(150 * 1024)})
    await storage.blobs.expire()

    left = [name for name in (*ends, "new") if await storage.blobs.size("project", name) is not None]
    assert left == ["on-its-way", "older", "used-today", "new"]
    assert await storage.blobs.size("other", "theirs") == 10


KILLED = """
import asyncio, os, sys
from shipway.settings import Settings
from shipway.storage.blobs import BlobStore
from shipway.storage.redis import connect

async def upload():
    blobs = BlobStore(sys.argv[1], connect(sys.argv[2]), Settings().limits_of, 3600)
    async with blobs.storing("project", "half") as writer:
        await writer.write(bytes(9 * 2**20))
        os.kill(os.getpid(), 9)

asyncio.run(upload())
"""


async def test_half_of_a_blob_that_a_killed_process_left_is_removed(storage: Storage, tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{storage.redis.connection_pool.connection_kwargs['port']}/0"
    store = tmp_path / "store"
    upload = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, store.as_uri(), url)
    await upload.wait()
    left = [path.name for path in store.rglob("half*")]

    await storage.redis.zadd(keys.EXPIRING, {"projects/project/blobs/half": 1})
    await storage.blobs.expire()

    assert left == ["half#1"]
    assert list(store.rglob("half*")) == []
    assert await storage.redis.exists(keys.stored("project")) == 0


async def test_credentials_are_gone_when_the_job_has_ended(storage: Storage) -> None:
    job_id, _ = await storage.jobs.accept("project", SPEC, "sealed")
    claim = await storage.jobs.claim("worker", [SPEC.queue()], job_id, "1")
    assert claim is not None
    assert await storage.jobs.credentials(job_id) == "sealed"

    await storage.jobs.settle(job_id, claim.attempt, JobState.FAILED)

    assert await storage.jobs.credentials(job_id) == ""
