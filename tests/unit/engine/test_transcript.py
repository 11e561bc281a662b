"""The classic builder's prose becomes events, and a step's output never passes for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from shipway.models.event import EventBody, LogChunk, StepStatus
from workers.engine.transcript import Transcript

CONTAINER, IMAGE = "0123456789ab", "fedcba987654"


def tell(transcript: Transcript, *texts: str) -> list[EventBody]:
    return [body for text in texts for body in transcript.read({"stream": text})]


def step(number: int, total: int, line: str) -> tuple[str, str]:
    return f"Step {number}/{total} : {line}", "\n"


def ran(*output: str, removed: str = "Removing") -> Iterator[str]:
    yield f" ---> Running in {CONTAINER}\n"
    yield from output
    yield f"{removed} intermediate container {CONTAINER}\n"
    yield f" ---> {IMAGE}\n"


def test_steps_run_one_after_the_other() -> None:
    clock = count(100)
    transcript = Transcript(clock=lambda: next(clock))

    tell(transcript, *step(1, 2, "FROM base"), f" ---> {IMAGE}\n", *step(2, 2, "RUN x"), *ran("out\n"))
    list(transcript.finish())

    told = [(s.name, s.status.value, s.started, s.completed) for s in transcript.steps]
    assert told == [("FROM base", "cached", 100, 101), ("RUN x", "executed", 102, 103)]
    assert transcript.complete


@pytest.mark.parametrize("removed", ["Removing", " ---> Removed"])
def test_both_ways_of_telling_a_removed_container(removed: str) -> None:
    transcript = Transcript()

    tell(transcript, *step(1, 1, "RUN x"), *ran(removed=removed))

    assert transcript.container is None


def test_cached_step() -> None:
    transcript = Transcript()

    tell(transcript, *step(1, 1, "COPY a b"), " ---> Using cache\n", f" ---> {IMAGE}\n")
    list(transcript.finish())

    assert [s.status for s in transcript.steps] == [StepStatus.CACHED]


def test_output_that_looks_like_the_builders_words_is_output() -> None:
    lies = ["Step 2/2 : RUN lie", " ---> Using cache\n", "Removing intermediate container aaaaaaaaaaaa\n"]
    transcript = Transcript()

    events = tell(transcript, *step(1, 2, "RUN x"), *ran(*lies))

    assert [body.text for body in events if isinstance(body, LogChunk)] == lies
    assert len(transcript.steps) == 1


def test_standard_error_is_told_apart_and_loses_its_colour() -> None:
    transcript = Transcript()

    events = tell(transcript, *step(1, 1, "RUN x"), *ran("\x1b[91moops\n\x1b[0m"))

    assert [(b.stream, b.text) for b in events if isinstance(b, LogChunk)] == [("stderr", "oops\n")]


def test_failed_step_carries_its_error_and_container() -> None:
    transcript = Transcript()

    tell(transcript, *step(1, 3, "RUN x"), f" ---> Running in {CONTAINER}\n")
    list(transcript.finish("exit 1"))

    assert [(s.status, s.error) for s in transcript.steps] == [(StepStatus.FAILED, "exit 1")]
    assert (transcript.container, transcript.complete) == (CONTAINER, False)


def test_verdict_is_no_output_of_the_last_step() -> None:
    transcript = Transcript()

    events = tell(transcript, *step(1, 1, "RUN x"), *ran(), f"Successfully built {IMAGE}\n")

    assert not [body for body in events if isinstance(body, LogChunk)]


def test_argument_before_the_first_base_is_no_step_of_the_cache() -> None:
    transcript = Transcript()

    tell(transcript, *step(1, 3, "ARG V=1"), *step(2, 3, "FROM base:$V"), *step(3, 3, "ARG W"))

    assert [s.internal for s in transcript.steps] == [True, False, False]


def test_digest_of_a_pulled_base_is_noted() -> None:
    transcript, digest = Transcript(), "sha256:" + "0f" * 32
    tell(transcript, *step(1, 1, "FROM --platform=linux/amd64 reg:5000/app:1 AS b"))

    list(transcript.read({"status": f"Digest: {digest}"}))
    list(transcript.read({"status": "Status: Downloaded newer image for reg:5000/app:1"}))
    list(transcript.finish())

    assert transcript.bases == {"reg:5000/app:1": digest}
    assert [s.status for s in transcript.steps] == [StepStatus.EXECUTED]
