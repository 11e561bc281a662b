"""A worker keeps its daemon's build cache and its own images within limits, on a real daemon."""

from __future__ import annotations

from redis.asyncio import Redis

from shipway.storage.workers import WorkerRegistry
from tests.integration.contexts import once, script
from tests.integration.fleet import Fleet
from tests.integration.http_api import HttpApi
from workers.disk import DiskKeeper
from workers.engine import Engine
from workers.settings import WorkerSettings

SIZE = 4_000_000
"""Bytes of each image beside its base."""


def settings(**limits: float) -> WorkerSettings:
    return WorkerSettings.model_validate({"worker_name": "two", "worker_image_rest": 0, **limits})


def built(fleet: Fleet, count: int) -> list[str]:
    """Build so many images on the worker `two`; returns their names."""
    names = [f"disk-{once()}" for _ in range(count)]
    with HttpApi(fleet.stack.service.url, fleet.stack.token) as api:
        for name in names:
            run = f"RUN head -c {SIZE} /dev/urandom > /file # {name}"
            api.succeed(script("FROM base", run), tags=[name], worker="two")
    return names


async def test_least_recently_used_goes_first_and_what_others_made_stays(fleet: Fleet, redis: Redis) -> None:
    old, new = built(fleet, 2)
    fleet.two.docker("tag", "base", "foreign")
    async with Engine(fleet.two.host) as engine:
        own = await WorkerRegistry(redis).own_images("two")
        before = await engine.images.usage()
        held = before.cache + sum(size for image, size in before.images.items() if image in own)
        keeper = DiskKeeper(settings(worker_max_disk_bytes=held - SIZE // 2), redis, lambda: None)

        await keeper.look(engine)

        after = await engine.images.usage()
        assert before.total - after.total >= SIZE // 2
        assert not await engine.images.exists(old)
        assert await engine.images.exists(new)
        assert await engine.images.exists("foreign")


async def test_floor_of_free_space_frees_all_that_may_go_and_no_image_in_use(fleet: Fleet, redis: Redis) -> None:
    used, unused = built(fleet, 2)
    fleet.two.docker("create", "--name", used, used, "true")
    async with Engine(fleet.two.host) as engine:
        await DiskKeeper(settings(worker_keep_free_bytes=2**50), redis, lambda: 2**30).look(engine)

        assert (await engine.images.usage()).cache == 0
        assert await engine.images.exists(used)
        assert not await engine.images.exists(unused)
    fleet.two.docker("rm", used)


async def test_image_that_was_used_a_moment_ago_stays(fleet: Fleet, redis: Redis) -> None:
    (name,) = built(fleet, 1)
    async with Engine(fleet.two.host) as engine:
        limits = settings(worker_max_disk_bytes=1, worker_image_rest=3600)

        await DiskKeeper(limits, redis, lambda: None).look(engine)

        assert await engine.images.exists(name)
