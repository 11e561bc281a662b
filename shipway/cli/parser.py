"""Reads a command line: what a command declares (`shipway/cli/command.py`), given to argparse."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from shipway.cli.command import Parameter
from shipway.cli.commands import GROUPS, declared

WRONG_USAGE = 2
"""Exit code."""


class Parser(argparse.ArgumentParser):
    """Reads what a command takes; ends the process after a help page and after an error.

    Args:
        name: whole name of a command or a group; empty for the command line itself.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.command = declared(name)
        parameters = self.command.parameters()
        usage = [*f"shipway {name}".split(), "[OPTIONS]", *_arguments(parameters)]
        super().__init__(
            prog=f"shipway {name}".strip(), usage=" ".join(usage), allow_abbrev=False, formatter_class=_Formatter
        )
        fill(self, parameters)

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """Values by the names that the command has for them.

        A command takes options and arguments in any order; what follows the name of one is not for its group.
        """
        # argparse forgets about `--` when it looks for arguments between options.
        in_order = self.name in GROUPS or "--" in words
        return vars(self.parse_args(words) if in_order else self.parse_intermixed_args(words))

    def format_usage(self) -> str:
        """The line above an error."""
        return f"Usage: {self.usage}\n"

    def format_help(self) -> str:
        """The whole page."""
        from shipway.cli.pages import help_page  # noqa: PLC0415  (seldom needed)

        return help_page(self.name, self.format_usage())

    def error(self, message: str) -> NoReturn:
        """Tell what is wrong, and end."""
        self.exit(WRONG_USAGE, f"{self.format_usage()}Try '{self.prog} -h' for help.\n\nError: {message}\n")


def fill(parser: argparse.ArgumentParser, parameters: Mapping[str, Parameter]) -> None:
    """Tell argparse what a command takes."""
    for name, (flags, about, settings) in parameters.items():
        if flags:
            parser.add_argument(*flags, dest=name, help=about, **settings)
        else:
            parser.add_argument(name, help=about, **settings)


def _arguments(parameters: Mapping[str, Parameter]) -> list[str]:
    """Its arguments, in brackets those that may be left out."""
    given = [settings for flags, _, settings in parameters.values() if not flags]
    return [f"[{one['metavar']}]" if one.get("nargs") == "?" else one["metavar"] for one in given]


class _Formatter(argparse.HelpFormatter):
    """Has a width: argparse makes one for each option, and would ask for the terminal's each time."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)
