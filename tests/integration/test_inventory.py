"""What is written down of a daemon's images, while jobs and others change them."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

import pytest
from redis.asyncio import Redis

from shipway.models.image import ImageOnWorker
from shipway.models.job import Job, JobState, Result, Timings
from shipway.models.spec import BuildSpec, Kind
from shipway.storage.workers import WorkerRegistry
from tests.integration.contexts import once, script
from tests.integration.engine.driving import NO_CONTEXT, build
from tests.integration.fleet import Fleet
from workers.engine import Engine
from workers.inventory import Inventory

pytestmark = pytest.mark.engine_independent


@pytest.fixture
def worker() -> str:
    return f"new-{once()}"


@pytest.fixture
def names(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """Two images, each made from the base."""
    names = (f"one-{once()}:latest", f"two-{once()}:latest")
    for name in names:
        fleet.two.docker("create", "--name", name.partition(":")[0], "base", "true")
        fleet.two.docker("commit", name.partition(":")[0], name)
    yield names
    for name in names:
        fleet.two.docker("rm", name.partition(":")[0])
        fleet.two.docker("rmi", name)


def image(worker: str, name: str, since: float) -> ImageOnWorker:
    return ImageOnWorker(worker=worker, id=f"sha256:{name}", tags=(f"{name}:1",), created=0, since=since, size=1)


async def test_looking_at_some_names_tells_what_became_of_them(
    fleet: Fleet, redis: Redis, worker: str, names: tuple[str, str]
) -> None:
    one, two = names
    async with Engine(fleet.two.host) as engine:
        inventory = Inventory(redis, worker, engine)
        whole = await inventory.refresh()
        ids = {name: (await engine.images.inspect(name)).id for name in names}
        fleet.two.docker("tag", one, "moved:latest")
        await inventory.look_at(["moved:latest"])
        fleet.two.docker("tag", two, "moved:latest")
        fleet.two.docker("rmi", one)

        after = await inventory.look_at([one, "moved:latest", "No Image!"])

        fleet.two.docker("rmi", "moved:latest")
    tags = {found.id: set(found.tags) for found in after}
    assert ids[one] not in tags
    assert tags[ids[two]] == {two, "moved:latest"}
    assert {found.id for found in whole} - tags.keys() == {ids[one]}
    by_id = attrgetter("id")  # Redis promises no order
    assert sorted(after, key=by_id) == sorted(await WorkerRegistry(redis).images_on(worker), key=by_id)


async def test_looking_tells_the_same_as_listing(
    fleet: Fleet, redis: Redis, worker: str, names: tuple[str, str]
) -> None:
    async with Engine(fleet.two.host) as engine:
        looked = await Inventory(redis, worker, engine).look_at(names)
        listed = {found.id: found for found in await Inventory(redis, worker, engine).refresh()}

    assert len(looked) == len(names)
    assert all(found == listed[found.id] for found in looked)


async def test_listing_undoes_nothing_that_was_told_while_it_was_made(redis: Redis, worker: str) -> None:
    registry = WorkerRegistry(redis)
    old, gone, retagged = (image(worker, name, 0) for name in ("old", "gone", "retagged"))
    await registry.replace_images(worker, [old, gone, retagged], await registry.now())
    known, asked = await registry.images_on(worker), await registry.now()
    new = image(worker, "new", await registry.now())
    moved = retagged.model_copy(update={"tags": ("moved:1",)})
    await registry.update_images(worker, known, [new, moved], [gone.id], await registry.now())

    told = await registry.replace_images(worker, [gone, retagged], asked)

    assert {found.id: found for found in told} == {new.id: new, moved.id: moved}
    assert await registry.replace_images(worker, [], await registry.now()) == []


async def test_image_that_was_there_just_before_a_job_is_not_the_jobs(fleet: Fleet, redis: Redis) -> None:
    """Even if all of the worker's life so far lies within one second."""
    worker, registry = f"new-{once()}", WorkerRegistry(redis)
    async with Engine(fleet.two.host) as engine:
        inventory = Inventory(redis, worker, engine)
        await inventory.begin()
        started = await registry.now()
        made = (await build(engine, script("FROM base", f"RUN echo {once()}"), builder="buildkit")).image_id
        base = (await engine.images.inspect("base")).id
        job = Job(
            id="1",
            project="default",
            kind=Kind.BUILD,
            state=JobState.RUNNING,
            spec=BuildSpec(context=NO_CONTEXT),
            timings=Timings(created=started, started=int(started * 1000) / 1000),
            result=Result(image_id=made, bases={"base": base}),
        )

        await inventory.take_in(job)

        assert list(await registry.own_images(worker)) == [made]
