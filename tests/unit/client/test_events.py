"""Following a job over connections that break."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse

from shipway.client import AsyncClient, Client
from shipway.client.connection import Connection
from shipway.client.following import Follower
from shipway.client.on_loop import OnLoop
from shipway.exceptions import ClientError, JobError, NotFound
from shipway.models.event import LogChunk, StateChanged
from tests.unit.client.stand_in import JOB, StandIn, problem

LINES = [f"line {number}\n" for number in range(20)]


@pytest.fixture
def ended(service: StandIn) -> StandIn:
    service.script(StateChanged(state="running"), *(LogChunk(step=1, text=line) for line in LINES))
    service.script(StateChanged(state="succeeded"))
    return service


async def numbers(client: AsyncClient, after: int = 0) -> list[int]:
    return [event.seq async for event in client.events(JOB, after=after)]


async def test_all_events_come_in_order_until_the_final_one(ended: StandIn) -> None:
    async with AsyncClient(ended.url) as client:
        events = [event async for event in client.events(JOB)]

    assert [event.seq for event in events] == list(range(1, 23))
    assert [event.body.text for event in events if isinstance(event.body, LogChunk)] == LINES


async def test_a_broken_connection_is_resumed_exactly(ended: StandIn) -> None:
    ended.drops = [3, 0, 5]
    async with AsyncClient(ended.url) as client:
        assert await numbers(client) == list(range(1, 23))

    assert ended.asked_after == [0, 3, 3, 8]


async def test_a_service_that_is_away_for_a_moment_is_asked_again(ended: StandIn) -> None:
    ended.drops = [4]
    ended.refuse(
        f"/v1/jobs/{JOB}/events", problem(503, "unavailable", "redis is away"), PlainTextResponse("nginx", 502)
    )
    async with AsyncClient(ended.url) as client:
        assert await numbers(client) == list(range(1, 23))


async def test_following_can_start_anywhere(ended: StandIn) -> None:
    async with AsyncClient(ended.url) as client:
        assert await numbers(client, after=20) == [21, 22]


async def test_following_after_the_last_event_ends_at_once(service: StandIn) -> None:
    service.script(StateChanged(state="succeeded"))
    service.refuse(f"/v1/jobs/{JOB}/events", PlainTextResponse("", media_type="text/event-stream"))
    async with AsyncClient(service.url) as client:
        assert await numbers(client, after=1) == []


async def test_events_of_a_type_from_the_future_are_passed_over(ended: StandIn) -> None:
    frames = (
        'id: 1\nevent: hologram\ndata: {"seq":1,"at":1,"attempt":1,"body":{"type":"hologram"}}\n\n'
        'id: 2\nevent: state\ndata: {"seq":2,"at":1,"attempt":1,"body":{"type":"state","state":"failed"}}\n\n'
    )
    ended.refuse(f"/v1/jobs/{JOB}/events", PlainTextResponse(frames, media_type="text/event-stream"))
    async with AsyncClient(ended.url) as client:
        assert await numbers(client) == [2]


async def test_an_unknown_job_is_not_followed(service: StandIn) -> None:
    service.refuse(f"/v1/jobs/{JOB}/events", problem(404, "job-unknown", "there is no job"))
    async with AsyncClient(service.url) as client:
        with pytest.raises(NotFound) as raised:
            await numbers(client)

    assert raised.value.slug == "job-unknown"


async def test_following_is_given_up_after_a_time_without_any_connection(service: StandIn) -> None:
    connection = Connection(OnLoop("http://127.0.0.1:9", 1, {}))
    async with AsyncClient(service.url) as client:
        follower = Follower(connection, f"/v1/jobs/{JOB}", after=0, read_job=lambda: client.job(JOB), patience=0.3)
        with pytest.raises(ClientError) as raised:
            [event async for event in follower.events()]
    await connection.close()

    assert raised.value.slug == "service-unreachable"


async def test_waiting_returns_the_record_and_can_raise(service: StandIn) -> None:
    service.script(StateChanged(state="cancelled"))
    async with AsyncClient(service.url) as client:
        assert (await client.wait(JOB)).state == "cancelled"
        with pytest.raises(JobError) as raised:
            await client.wait(JOB, check=True)

    assert raised.value.slug == "cancelled"


def test_the_sync_client_iterates_over_the_same_events(ended: StandIn) -> None:
    ended.drops = [2]
    with Client(ended.url) as client:
        assert [event.seq for event in client.events(JOB)] == list(range(1, 23))


def test_a_sync_iterator_may_be_left_half_way(ended: StandIn) -> None:
    with Client(ended.url) as client:
        for event in client.events(JOB):
            if event.seq == 5:
                break
        assert client.job(JOB).state == "succeeded"
