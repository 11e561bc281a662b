"""Questions on the terminal, asked beside standard output."""

from __future__ import annotations

import sys
from getpass import getpass

from shipway.cli.command import ArgumentError


def answer_to(what: str, *, hidden: bool = False) -> str:
    """Ask until there is an answer; a hidden one is not shown as it is typed.

    Raises:
        ArgumentError: standard input ended instead.
    """
    try:
        while True:
            if answer := getpass(f"{what}: ", sys.stderr) if hidden else _line(f"{what}: "):
                return answer
    except EOFError:
        raise ArgumentError(f"{what}: standard input ended before there was an answer") from None


def _line(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    return input()
