"""Which of two real workers builds what."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from shipway.models.job import Job
from tests.integration.contexts import once, script
from tests.integration.extra_worker import extra_worker
from tests.integration.fleet import Fleet
from tests.integration.http_api import HttpApi

pytestmark = pytest.mark.engine_independent

SLOTS = 2


@pytest.fixture
def api(fleet: Fleet) -> Iterator[HttpApi]:
    with HttpApi(fleet.stack.service.url, fleet.stack.token) as client:
        yield client


def slow(word: str) -> dict[str, bytes]:
    return script("FROM base", f"RUN echo taken; sleep 600 # {word}")


def build(api: HttpApi, name: str) -> Job:
    return api.succeed(script("FROM base", f"RUN echo {name}", f"RUN echo {once()}"), tags=[name])


def test_builds_of_one_image_go_to_the_same_worker_and_find_their_steps_there(api: HttpApi) -> None:
    images = [f"image-{once()}" for _ in range(4)]

    first, again = ([build(api, image) for image in images] for _ in range(2))

    assert [job.worker for job in first] == [job.placed for job in first] == [job.worker for job in again]
    assert {job.cache_hit_ratio for job in again} == {0.5}


def test_busy_worker_leaves_the_next_build_to_another_one_after_a_while(api: HttpApi) -> None:
    image = f"image-{once()}"
    blockers = [api.submit(slow(once()), tags=[image]) for _ in range(SLOTS)]
    for blocker in blockers:
        api.wait_for_text(blocker.id, "taken")

    other = build(api, image)

    for blocker in blockers:
        api.cancel(blocker.id)
    workers = {api.wait(blocker.id).worker for blocker in blockers}
    assert workers == {other.placed}
    assert other.worker not in workers


def test_build_whose_worker_is_gone_is_taken_by_another_one_soon(api: HttpApi, fleet: Fleet) -> None:
    """Even while the dead one still counts as alive."""
    with extra_worker(fleet.stack, "mortal") as worker:
        jobs = (build(api, f"image-{once()}") for _ in range(100))
        own = next(job for job in jobs if job.placed == "mortal")
        worker.child.kill()
        began = time.monotonic()

        moved = build(api, own.spec.tags[0])  # type: ignore[union-attr]

        assert own.worker == "mortal"
        assert (moved.placed, moved.worker) in {("mortal", "one"), ("mortal", "two")}
        assert time.monotonic() - began < 15
