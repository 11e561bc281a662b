from __future__ import annotations

import pytest

from shipway.context.dockerfile import Instruction, directives, images, instructions

SAMPLE = """\
# syntax=docker/dockerfile:1
# a comment
ARG BASE=reg.example:5000/base
FROM --platform=linux/amd64 ${BASE}:1 AS Build
RUN echo a \\
    # in between
    && echo b

RUN <<EOF
FROM not-an-image
EOF
FROM ${OTHER:-alpine}
COPY --from=build /a /b
COPY --from=ghcr.io/tool/box:2 /bin /bin
RUN --mount=type=bind,from=quay.io/x/y,target=/m true
"""


def test_instructions_have_their_lines() -> None:
    found = instructions(SAMPLE)

    assert [(i.keyword, i.first, i.last) for i in found] == [
        ("ARG", 3, 3),
        ("FROM", 4, 4),
        ("RUN", 5, 7),
        ("RUN", 9, 11),
        ("FROM", 12, 12),
        ("COPY", 13, 13),
        ("COPY", 14, 14),
        ("RUN", 15, 15),
    ]
    assert found[2].text == "RUN echo a && echo b"


def test_every_image_is_found_and_no_stage() -> None:
    names = {str(reference) for reference in images(SAMPLE, {})}

    assert names == {
        "docker/dockerfile:1",
        "reg.example:5000/base:1",
        "alpine:latest",
        "ghcr.io/tool/box:2",
        "quay.io/x/y:latest",
    }


def test_build_args_replace_the_defaults_of_global_args() -> None:
    text = "ARG R=one.example\nARG IMAGE=${R}/a\nFROM $IMAGE\nFROM scratch\n"

    assert {"two.example/a:latest"} == {str(r) for r in images(text, {"R": "two.example"})}


def test_names_that_cannot_be_resolved_are_left_out() -> None:
    assert set() == images("FROM $UNKNOWN\nFROM Not/Valid!\nFROM\n", {})


def test_the_escape_directive_changes_continuation() -> None:
    text = "# escape=`\nFROM a`\n  AS b\nRUN dir C:\\\nRUN x\n"

    assert directives(text) == {"escape": "`"}
    assert [i.keyword for i in instructions(text)] == ["FROM", "RUN", "RUN"]


def test_arithmetic_shifts_are_no_here_documents() -> None:
    assert [Instruction("RUN", "echo $((1<<N))", 1, 1), Instruction("RUN", "x", 2, 2)] == instructions(
        "RUN echo $((1<<N))\nRUN x"
    )


@pytest.mark.parametrize(
    "text",
    [
        "FROM base\nRUN " + " ".join(f"<<a{n}" for n in range(40_000)) + "\nx" * 100_000,
        "FROM base\nRUN " + "--mount=type=bind," * 40_000 + " true",
        "ARG A0=xxxxxxxx\n" + "\n".join(f"ARG A{n + 1}=$A{n}$A{n}" for n in range(60)) + "\nFROM $A60\nFROM base",
        "FROM " + "${A:-" * 100_000 + "\nFROM base",
    ],
    ids=["heredocs", "mounts", "doubling", "braces"],
)
def test_text_that_was_made_to_take_for_ever_takes_no_time(text: str) -> None:
    """Without a limit each of these takes hours, or all memory."""
    assert {"base:latest"} == {str(reference) for reference in images(text, {})}
