"""Reads the command line and runs the command that it names.

Of Shipway's own only what is needed for that is imported here. Each command imports what it needs: httpx, pydantic and
rich together take longer than `shipway --help` may.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from shipway.cli.command import ArgumentError
from shipway.cli.commands import COMMANDS, GROUPS
from shipway.cli.parser import WRONG_USAGE, Parser
from shipway.exceptions import ShipwayError

INTERRUPTED = 130
"""What shells report for a command ended by Ctrl-C."""


def run() -> NoReturn:
    """Run the command line: exit code 0 for success, 1 for failure, 2 for wrong usage, 130 after Ctrl-C."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what could come next
        from shipway.cli.completion import complete  # noqa: PLC0415

        complete()
    code = _exit_code()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except BrokenPipeError:
        code = 1
    # All is closed. Taking the interpreter apart would take a tenth of the time of a small build.
    os._exit(code)


def _exit_code() -> int:
    try:
        return run_words(sys.argv[1:])
    except ShipwayError as fault:
        from shipway.cli.text import safe_lines  # noqa: PLC0415

        print(f"error: {safe_lines(fault.message)} ({fault.slug})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output wants no more of it
        return 1


def run_words(words: list[str]) -> int:
    """Run a command line, without the name of the program; returns the exit code."""
    parser = Parser("")
    given = parser.read(words)
    if given["install_completion"] or given["show_completion"]:
        from shipway.cli.completion import install, show  # noqa: PLC0415  (seldom needed)

        return install() if given["install_completion"] else show()
    url, rest = given["url"], ["version"] if given["version"] else given["words"]
    while parser.name in GROUPS:
        parser = _named(parser, rest)
        given = parser.read(rest[1:])
        rest = given.get("words", [])
    try:
        return parser.command(url, given).run()
    except ArgumentError as fault:
        parser.error(str(fault))


def _named(group: Parser, words: list[str]) -> Parser:
    """The parser of the command that the first word names; ends the process when there is none."""
    if not words:
        group.exit(WRONG_USAGE, group.format_help())
    name = f"{group.name} {words[0]}".strip()
    if name not in COMMANDS and name not in GROUPS:
        group.error(f"no such command: {words[0]}")
    return Parser(name)
