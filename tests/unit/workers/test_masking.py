"""Secret values in what a job reports, however the report is cut."""

from __future__ import annotations

import base64
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.models.credentials import Credentials, RegistryLogin
from shipway.models.error import Problem
from shipway.models.event import EventBody, LogChunk, Step, StepChanged, StepStatus, Warned
from workers.masking import MASK, Mask

SECRET = "correct-horse-battery"


def mask_of(*values: bytes) -> Mask:
    return Mask.of(Credentials(secrets={str(n): base64.b64encode(value).decode() for n, value in enumerate(values)}))


def output(mask: Mask, pieces: list[str]) -> str:
    """What is told of one step's output, to the end of the step."""
    bodies: list[EventBody] = [LogChunk(step=1, text=piece) for piece in pieces]
    told = [one for body in bodies for one in mask.event(body)]
    told += mask.event(StepChanged(step=Step(number=1, name="RUN", status=StepStatus.EXECUTED)))
    return "".join(body.text for body in told if isinstance(body, LogChunk))


@given(st.lists(st.text("corrt-hsebay", max_size=4), max_size=8), st.lists(st.integers(0, 120), max_size=6))
def test_value_is_masked_wherever_its_text_is_cut(noise: list[str], cuts: list[int]) -> None:
    text = SECRET.join(noise)
    borders = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(borders)]

    assert output(mask_of(SECRET.encode()), pieces) == text.replace(SECRET, MASK)


@given(st.binary(min_size=8, max_size=40), st.binary(max_size=9), st.binary(max_size=9))
def test_value_inside_a_base64_text_is_masked(secret: bytes, before: bytes, after: bytes) -> None:
    secret = b"k" + secret.strip() + b"eyeyeyey"
    text = base64.b64encode(before + secret + after).decode()

    assert MASK in output(mask_of(secret), [text])


def test_each_line_of_a_value_is_masked() -> None:
    told = output(mask_of(b"-----BEGIN KEY-----\nabcdefgh\nijklmnop\n"), ["abcdefgh\r\nxijklmnopx\n"])

    assert told == f"{MASK}\r\nx{MASK}x\n"


def test_value_that_begins_with_another_is_masked_whole() -> None:
    assert output(mask_of(b"abcd", b"abcdefgh"), ["abcd", "efgh", "abcd", "x"]) == f"{MASK}{MASK}x"


def test_streams_and_steps_are_not_mixed_up() -> None:
    mask = mask_of(SECRET.encode())
    head, tail = SECRET[:5], SECRET[5:]

    told = [*mask.event(LogChunk(step=1, text=head)), *mask.event(LogChunk(step=2, text=tail))]

    assert told == [LogChunk(step=2, text=tail)]
    assert list(mask.rest()) == [LogChunk(step=1, text=head)]


def test_passwords_are_masked_alone_and_as_docker_sends_them() -> None:
    mask = Mask.of(Credentials(registries={"r": RegistryLogin(username="ada", password=SECRET)}))

    assert mask.text(f"login {SECRET}") == f"login {MASK}"
    assert SECRET not in mask.text(f"ada:{SECRET}")
    assert mask.text(base64.b64encode(f"ada:{SECRET}".encode()).decode()).startswith(MASK)


@pytest.mark.parametrize("value", [b"", b"abc", b"\xff\xfe\x00"])
def test_value_too_short_to_mask_leaves_everything_as_it_is(value: bytes) -> None:
    assert output(mask_of(value), ["abcabc"]) == "abcabc"


def test_names_warnings_and_errors_are_masked() -> None:
    mask = mask_of(SECRET.encode())
    step = Step(number=1, name=f"RUN {SECRET}", status=StepStatus.FAILED, error=f"no {SECRET}")

    (ended,) = mask.event(StepChanged(step=step))
    (warned,) = mask.event(Warned(message=SECRET, detail=SECRET))
    problem = mask.problem(Problem(slug="step-failed", message=f"said {SECRET}", step=f"RUN {SECRET}"))

    assert SECRET not in f"{ended}{warned}{problem}"
