from __future__ import annotations

import pytest

from shipway.cli.excerpt import render_excerpt
from shipway.context.place import Place, find_place

TEXT = """\
FROM base AS build
WORKDIR /src
COPY . .
RUN make \\
    all $TARGET
FROM scratch
COPY --from=build /src/out /
RUN ["/out", "--check"]
LABEL a=b
RUN make all
"""


@pytest.mark.parametrize(
    ("step", "first", "last"),
    [
        ("[build 3/4] COPY . .", 3, 3),
        ("[build 4/4] RUN make     all debug", 4, 5),  # the builder put the variable's value into the name
        ("[stage-1 1/3] COPY --from=build /src/out /", 7, 7),
        ('[stage-1 2/3] RUN ["/out", "--check"]', 8, 8),
        ("RUN make all", 10, 10),
        ("Step 8/9 : LABEL a=b", 9, 9),
        ("Step 4/9 : RUN make all debug", 4, 5),
        ("Step 9/9 : LABEL a=b", 9, 9),
        ("[build 1/4] FROM docker.io/library/base@sha256:abc", 1, 1),
        ("COPY --from=build /src/ou /", 7, 7),
    ],
)
def test_a_step_is_found_by_its_name_or_number(step: str, first: int, last: int) -> None:
    assert find_place(TEXT, step, "") == Place(first, last)


@pytest.mark.parametrize(
    "message", ["dockerfile parse error line 5: unknown instruction", "syntax error on line 4", "at Dockerfile:4"]
)
def test_a_line_number_in_the_message_gives_the_whole_instruction(message: str) -> None:
    assert find_place(TEXT, None, message) == Place(4, 5)


def test_what_cannot_be_told_is_not_guessed() -> None:
    assert find_place(TEXT, None, "something broke") is None
    assert find_place(TEXT, None, "line 99: no") is None
    assert find_place(TEXT, "exporting to image", "no space left") is None
    assert find_place("", "[1/2] RUN x", "") is None


EXCERPT = """\
my.Dockerfile:4
--------------------
   2 |     WORKDIR /src
   3 |     COPY . .
   4 | >>> RUN make \\
   5 | >>>     all $TARGET
   6 |     FROM scratch
   7 |     COPY --from=build /src/out /
--------------------"""


def test_the_excerpt_marks_every_line_of_the_instruction() -> None:
    assert render_excerpt(TEXT, Place(4, 5), "my.Dockerfile") == EXCERPT


def test_a_dockerfile_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in render_excerpt("RUN \x1b[2Jx", Place(1, 1), "Dockerfile")
