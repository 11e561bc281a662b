"""Events are numbered without gaps, and every follower sees each of them once, whenever it comes and however often."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from shipway.client.sse import SseParser
from shipway.models.event import Event, LogChunk, StateChanged, StepChanged
from shipway.models.job import JobState
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, refusal

pytestmark = pytest.mark.engine_independent

TALK = "for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.2; done"
"""Writes for a second and a half, so that a follower can be there in the middle of it."""


def numbers(events: list[Event]) -> list[int]:
    return [event.seq for event in events]


def gapless(events: list[Event], after: int = 0) -> bool:
    return numbers(events) == list(range(after + 1, after + len(events) + 1))


def states(events: list[Event]) -> list[str]:
    return [event.body.state for event in events if isinstance(event.body, StateChanged)]


def test_followers_before_during_and_after_a_build_see_the_same(api: HttpApi) -> None:
    with ThreadPoolExecutor() as pool, HttpApi(api.url, api.token) as early, HttpApi(api.url, api.token) as late:
        with api.busy():
            job = api.submit(script("FROM base", f"RUN {TALK} # {once()}"))
            stream = early.follow(job.id)
            first = next(stream)  # it follows while the job waits in the queue
            assert api.job(job.id).state is JobState.QUEUED
        before = pool.submit(lambda: [first.event, *(sent.event for sent in stream)])
        api.wait_for_text(job.id, "line 2")
        during = pool.submit(late.events, job.id)

        seen = [before.result(), during.result(), api.events(job.id)]

    assert gapless(seen[0])
    assert seen[0] == seen[1] == seen[2]
    assert states(seen[0]) == ["queued", "running", "succeeded"]
    assert [e.at for e in seen[0]] == sorted(e.at for e in seen[0])
    assert [e.attempt for e in seen[0]] == [0] + [1] * (len(seen[0]) - 1)
    assert api.job(job.id).events == len(seen[0])


def test_events_arrive_while_the_build_runs(api: HttpApi) -> None:
    job = api.submit(script("FROM base", f"RUN echo first; sleep 600 # {once()}"))

    api.wait_for_text(job.id, "first")

    assert api.job(job.id).state is JobState.RUNNING
    api.cancel(job.id)
    assert states(api.events(job.id))[-1] == "cancelled"


def test_each_event_carries_its_number_and_its_type(api: HttpApi) -> None:
    job = api.succeed(script("FROM base", f"RUN echo {once()}"))

    for sent in api.follow(job.id):
        assert (sent.id, sent.name) == (sent.event.seq, sent.event.body.type)


@pytest.mark.parametrize("way", ["header", "query"])
def test_resume_at_every_number_is_exact(api: HttpApi, way: str) -> None:
    job = api.succeed(script("FROM base", f"RUN echo {once()}; echo two", "RUN echo three"))
    all_events = api.events(job.id)

    for after in range(len(all_events) + 1):
        headers = {"Last-Event-ID": str(after)} if way == "header" else {}
        query = {"from": after} if way == "query" else {}
        assert [s.event for s in api.follow(job.id, headers, **query)] == all_events[after:]


def test_header_counts_more_than_the_query(api: HttpApi) -> None:
    job = api.succeed(script("FROM scratch", f"LABEL word={once()}"))

    resumed = [sent.id for sent in api.follow(job.id, {"Last-Event-ID": "3"}, **{"from": 1})]

    assert resumed[0] == 4


def test_number_past_the_end_gives_an_empty_stream_that_ends(api: HttpApi) -> None:
    job = api.succeed(script("FROM scratch", f"LABEL word={once()}"))

    assert list(api.follow(job.id, {"Last-Event-ID": "100000"})) == []


def test_follower_that_loses_its_connection_again_and_again_misses_nothing(api: HttpApi) -> None:
    job = api.submit(script("FROM base", f"RUN {TALK} # {once()}"))

    seen: list[Event] = []
    while not seen or states(seen)[-1] not in ("succeeded", "failed", "cancelled"):
        stream = api.follow(job.id, {"Last-Event-ID": str(len(seen))})
        seen += [sent.event for sent in islice(stream, 3)]
        stream.close()  # type: ignore[attr-defined]  # hangs up in the middle of the stream

    assert states(seen) == ["queued", "running", "succeeded"]
    assert seen == api.events(job.id)
    assert gapless(seen)


def test_output_arrives_whole_and_under_its_step(api: HttpApi) -> None:
    word = once()
    lines = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"

    job = api.succeed(script("FROM base", f"RUN echo {word}", f"RUN {lines}"))

    events = api.events(job.id)
    names = {e.body.step.number: e.body.step.name for e in events if isinstance(e.body, StepChanged)}
    written = "".join(
        e.body.text for e in events if isinstance(e.body, LogChunk) and "while" in names.get(e.body.step or 0, "")
    )
    assert written == "".join(f"line {i}\n" for i in range(3000))
    assert gapless(events)
    assert written in api.log(job.id)


def test_log_of_a_running_job_is_what_was_written_so_far(api: HttpApi) -> None:
    job = api.submit(script("FROM base", f"RUN echo so far; sleep 600 # {once()}"))
    api.wait_for_text(job.id, "so far")

    text = api.log(job.id)
    api.cancel(job.id)
    api.wait(job.id)

    assert "so far\n" in text
    assert "-- cancelled" not in text
    assert "-- cancelled" in api.log(job.id)


@pytest.mark.parametrize("path", ["", "/events", "/log"])
def test_unknown_job_is_told_as_such(api: HttpApi, path: str) -> None:
    assert refusal(api.http.get(f"/v1/jobs/01JZZZZZZZZZZZZZZZZZZZZZZZ{path}")) == (404, "job-unknown")


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "1.0", "+1", "1_0", "9" * 30])
def test_number_that_is_none_is_refused(api: HttpApi, value: str) -> None:
    job = api.succeed(script("FROM scratch", "LABEL a=b"))

    by_header = api.http.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": value})
    by_query = api.http.get(f"/v1/jobs/{job.id}/events", params={"from": value})

    assert refusal(by_header) == (422, "invalid-request")
    assert refusal(by_query) == (422, "invalid-request")


def test_one_request_starts_a_build_and_tells_all_of_it(api: HttpApi) -> None:
    body = {"context": api.upload(script("FROM base", f"RUN echo {once()}"))}
    headers = {"Accept": "text/event-stream, application/json"}

    with api.http.stream("POST", "/v1/builds", json=body, headers=headers) as answer:
        parser = SseParser()
        messages = [message for chunk in answer.iter_bytes() for message in parser.feed(chunk)]

    first, *events, last = [json.loads(message.data) for message in messages]
    assert (answer.status_code, first["state"]) == (202, "queued")
    assert answer.headers["location"] == f"/v1/jobs/{first['id']}"
    assert [message.event for message in messages if not message.data.startswith('{"seq"')] == ["job", "job"]
    assert gapless([Event.model_validate(event) for event in events])
    assert last == api.http.get(f"/v1/jobs/{first['id']}").json()


def test_who_may_build_but_not_read_gets_the_record_alone(api: HttpApi) -> None:
    made = api.http.post("/v1/tokens", json={"name": once(), "scopes": ["build"]}).json()["token"]

    with HttpApi(api.url, made) as blind:
        answer = blind.ask(script("FROM base", f"RUN echo {once()}"), {"Accept": "text/event-stream"})

    assert answer.headers["content-type"] == "application/json"
    assert api.wait(answer.json()["id"]).state is JobState.SUCCEEDED
