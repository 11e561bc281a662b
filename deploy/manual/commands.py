"""The page about the `shipway` command, from what its commands declare."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.manual.markdown import GENERATED, code, prose, table
from shipway.cli import pages
from shipway.cli.commands import names_below
from shipway.cli.parser import Parser

INTRODUCTION = """
# The command

`pip install .` in this repository installs `shipway`; it needs no Docker. What holds for all commands, and each of them
beside its `docker` twin with examples: [from docker to shipway](../docker-to-shipway.md).

`shipway --install-completion` has bash, zsh or fish complete commands and options, whichever runs it. For PowerShell,
add what `shipway --show-completion` prints there to the profile.

Exit codes: 0 success, 1 an [error](../errors.md), 2 wrong usage, 130 Ctrl-C (which cancels the job).
"""


def page() -> str:
    """All commands, in the order of `shipway --help`."""
    return GENERATED + INTRODUCTION + "".join(_sections(""))


def _sections(name: str) -> Iterator[str]:
    """This command, then those below it."""
    parser = Parser(name)
    told = "\n\n".join(pages.told(name))
    yield f"\n## {parser.prog}\n\n{prose(told)}\n"
    yield f"\n```text\n{parser.format_usage()}```\n\n"
    yield table(
        ["", ""], ([code(names), prose(about)] for names, about in [*pages.arguments(name), *pages.options(name)])
    )
    for below in names_below(name):
        yield from _sections(below)
