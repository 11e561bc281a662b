"""Completion in shells, by argcomplete: a shell runs the command itself to learn what could come next."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from argcomplete import autocomplete
from argcomplete.shell_integration import shellcode
from platformdirs import user_data_path

from shipway.cli.command import ArgumentError
from shipway.cli.commands import declared, names_below
from shipway.cli.pages import summary
from shipway.cli.parser import fill

SHELLS = {"bash": "bash", "zsh": "zsh", "fish": "fish", "pwsh": "powershell", "powershell": "powershell"}
"""Names of the shells' programs, and what argcomplete calls them."""
STARTUP = {
    "bash": (".bashrc", '. "{script}"'),
    "zsh": (".zshrc", '(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit; }}; . "{script}"'),
    "fish": (".config/fish/config.fish", 'source "{script}"'),
}
"""The file below the home directory that a shell reads when it starts, and the line in it that reads a script."""


def complete() -> None:
    """Answer a shell, and end the process."""
    autocomplete(_tree(argparse.ArgumentParser("shipway", allow_abbrev=False), ""))


def show() -> int:
    """Print what the current shell must read to complete; returns the exit code."""
    print(shellcode(["shipway"], shell=_shell()))
    return 0


def install() -> int:
    """Have the current shell complete from its next start on; returns the exit code.

    Raises:
        ArgumentError: it is not known which shell that is, or where it keeps its settings.
    """
    shell = _shell()
    if shell not in STARTUP:
        raise ArgumentError(
            f"of {shell} it is not known where it keeps its settings; add what --show-completion prints"
        )
    script = user_data_path("shipway", ensure_exists=True) / f"completion.{shell}"
    script.write_text(shellcode(["shipway"], shell=shell))
    name, line = STARTUP[shell]
    startup, line = Path.home() / name, line.format(script=script)
    before = startup.read_text() if startup.exists() else ""
    if line not in before.splitlines():
        startup.parent.mkdir(parents=True, exist_ok=True)
        startup.write_text("".join([before, "" if before.endswith("\n") or not before else "\n", line, "\n"]))
    print(f"{shell} completes `shipway` from its next start on: {startup} reads {script}", file=sys.stderr)
    return 0


def _tree(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    """Add to a parser what a command or a group takes, and all commands below it."""
    parameters = declared(name).parameters()
    parameters.pop("words", None)
    fill(parser, parameters)
    below = names_below(name)
    if below:
        commands = parser.add_subparsers()
        for each in below:
            _tree(commands.add_parser(each.split()[-1], help=summary(each), allow_abbrev=False), each)
    return parser


def _shell() -> str:
    """The shell that runs us; if something else does, the user's own."""
    parent = subprocess.run(["ps", "-o", "comm=", "-p", str(os.getppid())], capture_output=True, text=True, check=False)
    for program in (parent.stdout, os.environ.get("SHELL", "")):
        if shell := SHELLS.get(Path(program.strip().lstrip("-")).name):
            return shell
    raise ArgumentError("the current shell is none of bash, zsh, fish and PowerShell")
