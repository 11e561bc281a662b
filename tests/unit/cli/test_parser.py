from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipway.cli.commands import COMMANDS, GROUPS
from shipway.cli.parser import Parser


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("save", "-o x a --worker w b", {"images": ["a", "b"], "output": Path("x"), "worker": "w"}),
        ("import", "- -m word name:1", {"source": "-", "message": "word", "name": "name:1"}),
        ("import", "--platform linux/arm64 f.tar", {"source": "f.tar", "name": None, "message": ""}),
        ("build", "-qd -ta -t=b . --tag c", {"path": ".", "tags": ["a", "b", "c"], "quiet": True, "detach": True}),
        ("build", "", {"path": ".", "tags": [], "push": False, "progress": "auto", "priority": None}),
        ("commit", "--no-pause --run=id image", {"image": "image", "pause": False, "commands": ["id"]}),
        ("tag", "image one --worker w two", {"image": "image", "names": ["one", "two"], "worker": "w"}),
        ("rmi", "-f -- -odd", {"images": ["-odd"], "force": True}),
    ],
)
def test_options_and_arguments_come_in_any_order(name: str, line: str, expected: dict[str, Any]) -> None:
    given = Parser(name).read(line.split())

    assert {name: given[name] for name in expected} == expected


def test_a_group_leaves_everything_behind_a_command_to_it() -> None:
    given = Parser("").read(["--url", "http://x", "webhook", "--help", "--url", "y"])

    assert (given["url"], given["words"]) == ("http://x", ["webhook", "--help", "--url", "y"])


@pytest.mark.parametrize("name", [*GROUPS, *COMMANDS])
def test_every_page_fits_a_terminal_and_names_what_the_command_takes(name: str) -> None:
    parser = Parser(name)
    page = parser.format_help()

    assert max(map(len, page.splitlines())) <= 80
    assert all(flag in page for one in parser.command.parameters().values() for flag in one.flags)
    assert page.count("\n\n  ")


@pytest.mark.parametrize(
    "line", ["--priority 10", "--priority -1", "--priority x", "--builder podman", "--pul", "a b", "--timeout"]
)
def test_what_a_command_does_not_take_is_wrong_usage(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        Parser("build").read(line.split())

    assert raised.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("Usage: shipway build [OPTIONS] [PATH|URL|-]\nTry 'shipway build -h' for help.\n\nError: ")
