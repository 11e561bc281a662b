"""BuildKit's trace becomes events: in order, each step once per change, the last word counting."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from shipway.models.event import EventBody, LogChunk, Progress, StepChanged, StepStatus, Warned
from workers.engine.session.proto.control_pb2 import (
    StatusResponse,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from workers.engine.trace import Trace

DIGEST = "sha256:" + "ab" * 32


def at(seconds: float) -> Timestamp:
    return Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))


def running(digest: str, name: str = "[1/2] RUN x", *inputs: str) -> Vertex:
    return Vertex(digest=digest, name=name, started=at(10.5), inputs=inputs)


def done(digest: str, name: str = "[1/2] RUN x", *, cached: bool = False, error: str = "") -> Vertex:
    return Vertex(digest=digest, name=name, started=at(10.5), completed=at(12.25), cached=cached, error=error)


def read(trace: Trace, *vertexes: Vertex, **rest: object) -> list[EventBody]:
    return list(trace.read(StatusResponse(vertexes=vertexes, **rest)))  # type: ignore[arg-type]


def statuses(events: list[EventBody]) -> list[tuple[int, str]]:
    return [(body.step.number, body.step.status.value) for body in events if isinstance(body, StepChanged)]


def test_steps_are_numbered_as_they_start_not_as_they_are_planned() -> None:
    trace = Trace()

    planned = read(trace, Vertex(digest="late", name="[2/2] RUN y"), running("early"))
    started = read(trace, running("late", "[2/2] RUN y", "early"))

    assert statuses(planned) == [(1, "running")]
    assert statuses(started) == [(2, "running")]
    assert trace.steps[1].inputs == (1,)


def test_times_are_seconds_since_the_epoch() -> None:
    trace = Trace()

    read(trace, done("a"))

    assert (trace.steps[0].started, trace.steps[0].completed) == (10.5, 12.25)


def test_last_word_about_a_step_counts() -> None:
    trace = Trace()

    events = read(trace, running("a")) + read(trace, done("a", cached=True))
    events += read(trace, done("a"), logs=[VertexLog(vertex="a", stream=1, msg=b"hi\n")])

    assert [told for told in statuses(events) if told != (1, "running")] == [(1, "cached"), (1, "executed")]
    assert [step.status for step in trace.steps] == [StepStatus.EXECUTED]


def test_cached_step_stays_cached_while_its_layers_are_fetched() -> None:
    trace = Trace()

    for told in (done("a", cached=True), running("a"), done("a")):
        read(trace, told)

    assert [step.status for step in trace.steps] == [StepStatus.CACHED]


def test_same_word_twice_is_one_event() -> None:
    trace = Trace()

    assert len(read(trace, running("a"))) == 1
    assert read(trace, running("a")) == []


def test_step_told_in_one_piece_with_its_output_begins_and_ends_around_it() -> None:
    events = read(Trace(), done("a"), logs=[VertexLog(vertex="a", stream=1, msg=b"hi\n")])

    assert [body.type for body in events] == ["step", "log", "step"]
    assert statuses(events) == [(1, "running"), (1, "executed")]


def test_letters_cut_in_two_are_put_together() -> None:
    trace, word = Trace(), "größe".encode()
    read(trace, running("a"))

    events = [
        body
        for piece in (word[:3], word[3:])
        for body in read(trace, logs=[VertexLog(vertex="a", stream=2, msg=piece)])
    ]

    assert "".join(body.text for body in events if isinstance(body, LogChunk)) == "größe"
    assert {body.stream for body in events if isinstance(body, LogChunk)} == {"stderr"}


def test_only_lines_of_the_dockerfile_are_the_users_steps() -> None:
    trace = Trace()
    names = ["[internal] load build context", "[1/4] FROM base", "[build 2/4] RUN x", "exporting to image",
             "[linux/arm64 build 3/4] COPY a b", "[auth] team/app:pull token", "https://example.org/file"]  # fmt: skip

    for number, name in enumerate(names):
        read(trace, done(str(number), name))

    assert [step.name for step in trace.steps if not step.internal] == [names[1], names[2], names[4]]


def test_digests_of_base_images_are_noted() -> None:
    trace = Trace()

    read(trace, done("a", f"[1/2] FROM 127.0.0.1:5000/team/app:1@{DIGEST}"), done("b", "[2/2] RUN echo FROM x@y"))

    assert trace.bases == {"127.0.0.1:5000/team/app:1": DIGEST}


def test_failed_and_cancelled_steps_are_told_apart() -> None:
    trace = Trace()

    read(trace, done("a", error="exit code: 1"), done("b", "[2/2] RUN y", error="wrapped: context canceled"))

    assert [step.status for step in trace.steps] == [StepStatus.FAILED, StepStatus.CANCELLED]
    assert trace.failed is trace.steps[0]


def test_steps_still_running_at_the_end_are_cancelled() -> None:
    trace = Trace()
    read(trace, running("a"), done("b", "[2/2] RUN y"))

    events = list(trace.abandon())

    assert statuses(events) == [(1, "cancelled")]
    assert list(trace.abandon()) == []


def test_progress_and_warnings_belong_to_their_step() -> None:
    trace = Trace()

    events = read(
        trace,
        running("a"),
        statuses=[VertexStatus(ID="sha256:1", vertex="a", name="extracting", current=3, total=9)],
        warnings=[VertexWarning(vertex="a", short=b"careful", detail=[b"one", b"two"], url="https://example.org")],
    )

    assert Progress(step=1, id="sha256:1", action="extracting", current=3, total=9) in events
    assert Warned(step=1, message="careful", detail="one\ntwo", url="https://example.org") in events
