"""A step is named by what it is made of."""

from __future__ import annotations

import pytest

from shipway.models.context import Entry, EntryType, Manifest
from shipway.models.event import Step, StepStatus
from workers.fingerprints import fingerprints


def manifest(**files: str) -> Manifest:
    return Manifest(
        [Entry(path=path, type=EntryType.FILE, mode=0o644, digest=digest) for path, digest in files.items()]
    )


def named(*, run: str = "RUN make", args: dict[str, str] | None = None, session: str = "1", **files: str) -> list[str]:
    """The names of a COPY and of what builds upon it."""
    texts = ["[internal] load build context", "[1/3] FROM base", "[2/3] COPY src /src", f"[3/3] {run}"]
    inputs: list[tuple[int, ...]] = [(), (), (1, 2), (3,)]
    steps = [
        Step(number=n, name=text, status=StepStatus.EXECUTED, digest=f"{session}{n}", inputs=before)
        for n, (text, before) in enumerate(zip(texts, inputs, strict=True), 1)
    ]
    found = fingerprints(steps, args or {}, manifest(**{"src": "1", "other": "1"} | files))
    return [found[3], found[4]]


def test_same_steps_of_two_sessions_have_the_same_names() -> None:
    assert named(session="1") == named(session="2")
    assert named(other="2") == named()


@pytest.mark.parametrize("change", [{"src": "2"}, {"args": {"A": "1"}}])
def test_step_with_other_files_or_arguments_and_all_upon_it_have_other_names(change: dict[str, object]) -> None:
    assert not set(named()) & set(named(**change))  # type: ignore[arg-type]


def test_other_instruction_leaves_the_steps_before_it_as_they_were() -> None:
    before, after = named(), named(run="RUN make all")

    assert before[0] == after[0]
    assert before[1] != after[1]
