from __future__ import annotations

import io

import pytest

from shipway.cli.display import JsonDisplay
from shipway.cli.plain import PlainDisplay
from shipway.models.error import Problem
from shipway.models.event import (
    Event,
    EventBody,
    LogChunk,
    Progress,
    Pushed,
    StateChanged,
    Step,
    StepChanged,
    StepStatus,
    Warned,
)


class Show:
    """A plain display and what it wrote."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.display = PlainDisplay(self.out)
        self._seq = 0

    def happen(self, *bodies: EventBody, at: float = 100.0, attempt: int = 1) -> None:
        for body in bodies:
            self._seq += 1
            self.display.event(Event(seq=self._seq, at=at, attempt=attempt, body=body))

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


@pytest.fixture
def show() -> Show:
    return Show()


def step(number: int, name: str, status: StepStatus, **more: object) -> StepChanged:
    return StepChanged(step=Step.model_validate({"number": number, "name": name, "status": status, **more}))


def run(number: int = 3) -> StepChanged:
    return step(number, "[2/4] RUN make", StepStatus.RUNNING, started=50.0)


def test_a_step_is_named_then_its_lines_then_its_time(show: Show) -> None:
    show.happen(run())
    show.happen(LogChunk(step=3, text="hel"), at=100.1)
    show.happen(LogChunk(step=3, text="lo\nwor"), at=100.52)
    show.happen(step(3, "[2/4] RUN make", StepStatus.EXECUTED, started=50.0, completed=51.2), at=101.3)

    assert show.lines == ["", "#3 [2/4] RUN make", "#3 0.520 hello", "#3 1.300 wor", "#3 DONE 1.2s"]


def test_cached_failed_and_cancelled_steps_say_so(show: Show) -> None:
    show.happen(step(1, "FROM x", StepStatus.CACHED))
    show.happen(step(2, "RUN y", StepStatus.FAILED, error="exit code: 3"))
    show.happen(step(3, "RUN z", StepStatus.CANCELLED))

    assert show.lines == [
        "",
        "#1 FROM x",
        "#1 CACHED",
        "",
        "#2 RUN y",
        "#2 ERROR: exit code: 3",
        "",
        "#3 RUN z",
        "#3 CANCELED",
    ]


def test_steps_that_run_side_by_side_stay_apart(show: Show) -> None:
    show.happen(run(3), run(4))
    show.happen(LogChunk(step=3, text="a\n"), LogChunk(step=4, text="b\n"), LogChunk(step=3, text="c\n"))

    assert [line[:4] for line in show.lines if line] == ["#3 [", "#4 [", "#3 0", "#4 0", "#3 0"]


def test_stdout_and_stderr_do_not_share_a_line(show: Show) -> None:
    show.happen(
        run(),
        LogChunk(step=3, text="out"),
        LogChunk(step=3, stream="stderr", text="err\n"),
        LogChunk(step=3, text="!\n"),
    )

    assert show.lines[-2:] == ["#3 0.000 err", "#3 0.000 out!"]


def test_log_text_cannot_steer_the_terminal_but_may_be_coloured(show: Show) -> None:
    show.happen(run(), LogChunk(step=3, text="\x1b[2J\x1b[32mok\x1b[0m\x1b]0;x\x07\n"))

    assert show.lines[-1] == "#3 0.000 \x1b[32mok\x1b[0m"


def test_a_new_attempt_starts_over_and_says_why(show: Show) -> None:
    lost = Problem(slug="worker-lost", message="the worker is gone")
    show.happen(StateChanged(state="running", worker="w1"), run(), LogChunk(step=3, text="half"))
    show.happen(StateChanged(state="queued", error=lost))
    show.happen(StateChanged(state="running", worker="w2"), run(), LogChunk(step=3, text="new\n"), attempt=2)

    assert show.lines == [
        "running on w1",
        "",
        "#3 [2/4] RUN make",
        "back in the queue: the worker is gone",
        "running on w2, attempt 2",
        "",
        "#3 [2/4] RUN make",
        "#3 0.000 new",
    ]


def test_transfers_are_told_once_when_done(show: Show) -> None:
    show.happen(run())
    show.happen(
        *[Progress(step=3, id="context", action="transferring", current=n, total=2000) for n in (0, 900, 2000, 2000)]
    )

    assert show.lines[2:] == ["#3 transferring context 2kB done"]


def test_a_transfer_that_names_its_action_is_not_named_twice(show: Show) -> None:
    show.happen(Progress(id="transferring context:", action="transferring", current=5, total=5))

    assert show.lines == ["transferring context 5B done"]


def test_a_builder_that_repeats_an_end_is_told_once_but_a_step_may_run_again(show: Show) -> None:
    done = step(3, "[2/4] RUN make", StepStatus.EXECUTED, started=1.0, completed=2.0)
    show.happen(done, done, run(), done, step(3, "[2/4] RUN make", StepStatus.CACHED))

    assert show.lines == ["", "#3 [2/4] RUN make", "#3 DONE 1.0s", "#3 DONE 1.0s", "#3 CACHED"]


def test_warnings_and_pushes_are_lines(show: Show) -> None:
    show.happen(run(), Warned(step=3, message="old syntax"), Pushed(reference="r/a:1", digest="sha256:ab"))

    assert show.lines[2:] == ["#3 WARN: old syntax", "pushed r/a:1 sha256:ab"]


def test_a_log_without_step_is_shown_bare(show: Show) -> None:
    show.happen(LogChunk(text="from the worker\n"))

    assert show.lines == ["from the worker"]


def test_json_lines_are_events() -> None:
    out = io.StringIO()
    event = Event(seq=1, at=2.0, attempt=1, body=LogChunk(step=1, text="a\nb"))
    JsonDisplay(out).event(event)

    assert Event.model_validate_json(out.getvalue()) == event
    assert out.getvalue().count("\n") == 1
