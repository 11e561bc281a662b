"""Which images `--filter` and `--all-tags` mean."""

from __future__ import annotations

import pytest

from shipway.cli.arguments import image_filters
from shipway.cli.command import ArgumentError
from shipway.cli.naming import in_repository, matches
from shipway.exceptions import ClientError


def test_filters_are_read() -> None:
    assert image_filters([]) == (None, [])
    assert image_filters(["dangling=true", "reference=a*", "reference=b:1"]) == (True, ["a*", "b:1"])
    for wrong in (["dangling=maybe"], ["dangling=true", "dangling=false"], ["before=x"], ["reference="], ["x"]):
        with pytest.raises(ArgumentError):
            image_filters(wrong)


def test_pattern_is_of_a_name_with_its_tag_or_without() -> None:
    name = "r:5000/team/app:1"

    assert [p for p in ("*/*/a*", "r:5000/team/app", "*/team/app:[12]", "*", "*/app", "app") if matches(name, p)] == [
        "*/*/a*",
        "r:5000/team/app",
        "*/team/app:[12]",
    ]


def test_repository_has_its_names_and_no_others() -> None:
    assert [n for n in ("app:1", "app:2", "app/x:1", "other/app:1") if in_repository(n, "app")] == ["app:1", "app:2"]
    for wrong in ("app:1", "UPPER", f"app@sha256:{'0' * 64}"):
        with pytest.raises(ClientError):
            in_repository("app:1", wrong)
