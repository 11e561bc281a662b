"""Workers that build for one circle of projects: nobody else's jobs come there, and theirs go nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.registry import Registry
from deploy.local.stack import Plan, Stack
from shipway.models.job import JobState
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, made, refusal

pytestmark = pytest.mark.engine_independent


@dataclass
class Circles:
    """A stack whose worker `golden` builds for the project `rich` only; `common` builds for all others."""

    stack: Stack
    rich: HttpApi
    poor: HttpApi


@pytest.fixture(scope="module")
def circles(dockerd: Dockerd, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Circles]:
    plan = Plan(tmp_path_factory.mktemp("pools"), workers=0, env={"SHIPWAY_POOLS": "gold=rich"})
    with ExitStack() as exits:
        stack = exits.enter_context(Stack(plan, registry=registry, dockerd=dockerd))
        stack.add_worker("golden", settings={"SHIPWAY_WORKER_POOL": "gold"})
        admin = exits.enter_context(HttpApi(stack.service.url, stack.token))
        rich, poor = (
            exits.enter_context(HttpApi(admin.url, made(admin, project=name, scopes=["read", "build"])["token"]))
            for name in ("rich", "poor")
        )
        yield Circles(stack, rich, poor)


def test_jobs_run_in_their_own_circle_only(circles: Circles) -> None:
    waiting = circles.poor.submit(script("FROM base", f"RUN echo {once()}"))
    ran = circles.rich.succeed(script("FROM base", f"RUN echo {once()}"))
    still = circles.poor.job(waiting.id)
    circles.stack.add_worker("common")

    done = circles.poor.wait(waiting.id)

    assert (ran.worker, ran.queue) == ("golden", "shipway.pool.gold")
    assert still.state is JobState.QUEUED
    assert (done.state, done.worker) == (JobState.SUCCEEDED, "common")


def test_worker_of_another_circle_is_as_unknown_as_none(circles: Circles) -> None:
    context = script("FROM base", f"RUN echo {once()}")
    theirs, none = (circles.poor.ask(context, worker=name) for name in ("golden", "nobody"))

    assert refusal(theirs) == (404, "worker-unknown")
    assert theirs.text.replace("golden", "X") == none.text.replace("nobody", "X")
    assert [worker["name"] for worker in circles.rich.http.get("/v1/workers").json()["workers"]] == ["golden"]
