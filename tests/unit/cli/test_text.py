from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from shipway.cli.text import MAX_LINE, LineBuffer, one_line, safe, seconds, size


def test_colours_stay_and_end_with_the_line() -> None:
    assert safe("\x1b[31mred") == "\x1b[31mred\x1b[0m"


def test_everything_else_that_steers_a_terminal_goes() -> None:
    hostile = "a\x1b[2J\x1b[1;1Hb\x1b]52;c;ZXZpbA==\x07c\x1b]0;title\x1b\\d\x1bPq\x1b\\e\x9b2Jf\x08g\x1bch\u202ei"

    assert safe(hostile) == "abcde2Jfghi"


def test_a_sequence_hidden_in_another_does_not_appear() -> None:
    assert "\x1b" not in safe("\x1b\x1b[2J[2J\x1b[\x1b[Hx")


@given(st.text(alphabet=st.sampled_from("\x1b[]m;0J?P^_\\\x07\x9b\x18a1 "), max_size=40))
def test_only_whole_colour_sequences_survive(text: str) -> None:
    rest = re.sub(r"\x1b\[[0-9;:]*m", "", safe(text))

    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", rest)


def test_chunks_become_lines() -> None:
    buffer = LineBuffer()

    assert buffer.feed("one\ntw") == ["one"]
    assert buffer.feed("o\r\nthree") == ["two"]
    assert buffer.flush() == ["three"]
    assert buffer.flush() == []


def test_of_an_overwritten_line_the_last_state_counts() -> None:
    assert LineBuffer().feed("10%\r50%\r100%\n") == ["100%"]


def test_a_line_without_end_is_shown_at_some_time() -> None:
    buffer = LineBuffer()
    lines = [line for _ in range(5) for line in buffer.feed("x" * (MAX_LINE // 2))]

    assert lines == ["x" * (MAX_LINE // 2 * 3)]


def test_a_colour_split_between_chunks_is_still_one() -> None:
    buffer = LineBuffer()
    buffer.feed("\x1b[3")

    assert buffer.feed("1mred\n") == ["\x1b[31mred\x1b[0m"]


def test_names_are_one_line() -> None:
    assert one_line("RUN a\n  b\x1b[31m c\x07") == "RUN a b c"


def test_figures() -> None:
    assert [seconds(0.04), seconds(75), seconds(750)] == ["0.0s", "75.0s", "12m30s"]
    assert [size(12), size(1530), size(2_000_000), size(5e12)] == ["12B", "1.53kB", "2MB", "5TB"]
