"""A cancelled build stops in the daemon within two seconds and leaves nothing behind."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.waiting import wait_until
from shipway.models.event import StepStatus
from tests.integration.engine.driving import Recorder, build, once, script
from workers.engine import Engine

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])


def processes(word: str) -> list[int]:
    """Return the ids of running processes with `word` in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and word in (folder / "cmdline").read_text().split("\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def until(condition: object, limit: float = 20.0) -> bool:
    assert callable(condition)
    return await asyncio.to_thread(wait_until, condition, limit)


@BUILDERS
async def test_running_step_is_stopped_and_nothing_is_left(engine: Engine, dockerd: Dockerd, builder: str) -> None:
    sink, nap = Recorder(), f"1000.{int(once()[:6], 16)}"
    task = asyncio.create_task(build(engine, script("FROM base", f"RUN sleep {nap}"), sink=sink, builder=builder))
    assert await until(lambda: processes(nap))

    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    took = time.monotonic() - began

    assert took < 2
    assert wait_until(lambda: not processes(nap), 2 - took), "the step's process outlived its build"
    assert wait_until(lambda: dockerd.docker("ps", "-aq").stdout == "", 2)
    assert StepStatus.RUNNING not in {s.status for s in sink.steps.values()}


@BUILDERS
async def test_cancelling_twice_does_not_cut_the_cleaning_short(engine: Engine, dockerd: Dockerd, builder: str) -> None:
    nap = f"1000.{int(once()[:6], 16)}"
    task = asyncio.create_task(build(engine, script("FROM base", f"RUN sleep {nap}"), builder=builder))
    assert await until(lambda: processes(nap))

    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert wait_until(lambda: not processes(nap), 2)
    assert wait_until(lambda: dockerd.docker("ps", "-aq").stdout == "", 2)


@BUILDERS
async def test_daemon_builds_on_after_a_cancelled_build(engine: Engine, builder: str) -> None:
    nap = f"1000.{int(once()[:6], 16)}"
    task = asyncio.create_task(build(engine, script("FROM base", f"RUN sleep {nap}"), builder=builder))
    assert await until(lambda: processes(nap))
    task.cancel()
    await asyncio.wait([task])

    outcome = await build(engine, script("FROM base", f"RUN echo {once()}"), builder=builder)

    assert outcome.image_id.startswith("sha256:")


@BUILDERS
async def test_sink_that_raises_stops_the_step(engine: Engine, builder: str) -> None:
    nap = f"1000.{int(once()[:6], 16)}"

    async def refuse(body: object) -> None:
        if "ready" in str(body):
            raise LookupError("lease lost")

    with pytest.raises(LookupError, match="lease lost"):
        await build(
            engine,
            script("FROM base", f"RUN echo rea''dy; sleep {nap}"),
            sink=refuse,  # type: ignore[arg-type]
            builder=builder,
        )

    assert wait_until(lambda: not processes(nap), 2)


async def test_one_cancelled_build_leaves_another_alone(engine: Engine) -> None:
    nap = f"1000.{int(once()[:6], 16)}"
    doomed = asyncio.create_task(build(engine, script("FROM base", f"RUN sleep {nap}")))
    other = asyncio.create_task(build(engine, script("FROM base", f"RUN sleep 3; echo {once()}")))
    assert await until(lambda: processes(nap))

    doomed.cancel()
    await asyncio.wait([doomed])

    assert (await other).image_id.startswith("sha256:")


async def test_engine_closed_in_mid_build_does_not_hang(dockerd: Dockerd) -> None:
    """The session's connection was aiohttp's once, and its pool waits for it to close."""
    nap = f"1000.{int(once()[:6], 16)}"
    engine = await Engine(dockerd.host).__aenter__()
    task = asyncio.create_task(build(engine, script("FROM base", f"RUN sleep {nap}")))
    assert await until(lambda: processes(nap))

    async with asyncio.timeout(10):
        await engine.__aexit__(None, None, None)
        await asyncio.wait([task])

    assert task.exception() is not None
    assert wait_until(lambda: not processes(nap), 2)
