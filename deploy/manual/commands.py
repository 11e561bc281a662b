"""The page about the `shipway` command, from the command itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from deploy.manual.markdown import GENERATED, code, prose, table
from shipway.cli.app import app

INTRODUCTION = """
# The command

`pip install .` in this repository installs `shipway`; it needs no Docker. What holds for all commands, and each of them
beside its `docker` twin with examples: [from docker to shipway](../docker-to-shipway.md).

`shipway --install-completion` completes commands and options in bash, zsh, fish and PowerShell.

Exit codes: 0 success, 1 an [error](../errors.md), 2 wrong usage, 130 Ctrl-C (which cancels the job).
"""
PYTHON_TYPE = re.compile(r"^(.*) <(str|list\[str\])>$")


def page() -> str:
    """All commands, in the order of `shipway --help`."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="shipway")
    return GENERATED + INTRODUCTION + "".join(_sections(context))


def _sections(context: Any) -> Iterator[str]:
    """This command, then those below it. Typed loosely: typer's own copy of click has no public types."""
    command = context.command
    yield f"\n## {context.command_path}\n\n{prose(command.help or '')}\n"
    yield f"\n```text\n{command.get_usage(context)}\n```\n\n"
    records = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    yield table(["", ""], ([code(_plain(name)), prose(told)] for name, told in records if name != "--help"))
    for name in getattr(command, "commands", {}):
        below = command.get_command(context, name)
        if not below.hidden:
            yield from _sections(type(context)(below, info_name=name, parent=context))


def _plain(name: str) -> str:
    """Without the name of Python's type, which says nothing to a user."""
    return PYTHON_TYPE.sub(r"\1", name)
