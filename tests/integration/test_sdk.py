"""Both faces of the SDK against the real stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.stack import Stack
from shipway.client import AsyncClient, Client
from shipway.exceptions import BuildUserError, NotFound
from shipway.models.event import LogChunk
from shipway.models.job import JobState
from tests.integration.command import write
from tests.integration.contexts import once, script

pytestmark = pytest.mark.engine_independent


async def test_build_followed_and_waited_for(stack: Stack, tmp_path: Path) -> None:
    word = once()
    write(tmp_path, script("FROM base", f"RUN echo {word}"))

    async with AsyncClient(stack.service.url, token=stack.token) as client:
        job = await client.build(tmp_path, tags=["sdk:1"])
        events = [event async for event in client.events(job.id)]
        done = await client.wait(job.id)

        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert any(isinstance(e.body, LogChunk) and word in e.body.text for e in events)
        assert done.state is JobState.SUCCEEDED
        assert word in await client.log(job.id)


def test_sync_face_does_the_same(stack: Stack, tmp_path: Path) -> None:
    write(tmp_path, script("FROM base", f"RUN echo {once()}"))

    with Client(stack.service.url, token=stack.token) as client:
        job = client.build(tmp_path)
        numbers = [event.seq for event in client.events(job.id)]

        assert numbers == list(range(1, len(numbers) + 1))
        assert client.wait(job.id).state is JobState.SUCCEEDED
        assert [worker.name for worker in client.workers()] == ["local-1"]


async def test_errors_are_exceptions_with_the_services_slug(stack: Stack, tmp_path: Path) -> None:
    write(tmp_path, script("FROM base", "RUN exit 7"))

    async with AsyncClient(stack.service.url, token=stack.token) as client:
        with pytest.raises(NotFound) as unknown:
            await client.job("01ARZ3NDEKTSV4RRFFQ69G5FAV")
        with pytest.raises(BuildUserError) as failed:
            await client.wait((await client.build(tmp_path)).id, check=True)

        assert unknown.value.slug == "job-unknown"
        assert failed.value.slug == "step-failed"
