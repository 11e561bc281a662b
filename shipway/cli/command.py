"""What a command is, and what it may take.

A command is a class: its docstring is its help, each class attribute made by one of the functions below is an argument
or an option, in the order of the help page, and `run` does the work. `shipway/cli/commands.py` lists the commands.

Loaded for every command, so it imports nothing that takes time; a command imports what it needs when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast, overload


class ArgumentError(ValueError):
    """An argument is wrong: a usage error."""


class Parameter(NamedTuple):
    """An argument (without `flags`) or an option, as it is declared; `settings` are argparse's."""

    flags: tuple[str, ...]
    about: str
    settings: Mapping[str, Any]


class Command:
    """One command; on an instance, what was declared has the values given on the command line."""

    def __init__(self, url: str | None, given: Mapping[str, Any]) -> None:
        self.url = url
        self.__dict__.update(given)

    def run(self) -> int:
        """Do it; returns the exit code.

        Raises:
            ArgumentError: the arguments do not go together.
            ShipwayError: it could not be done.
        """
        raise NotImplementedError

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """All that it takes, by the attribute's name: its own first, then what it has from its bases."""
        found: dict[str, Parameter] = {}
        for kind in cls.__mro__:
            for name, value in vars(kind).items():
                if isinstance(value, Parameter):
                    found.setdefault(name, value)
        return found


def argument(metavar: str, *, about: str) -> str:
    """An argument that must be given."""
    return cast("str", _argument(metavar, about))


@overload
def optional_argument(metavar: str, *, about: str, default: str) -> str: ...
@overload
def optional_argument(metavar: str, *, about: str) -> str | None: ...
def optional_argument(metavar: str, *, about: str, default: str | None = None) -> str | None:
    """An argument that may be left out."""
    return cast("str", _argument(metavar, about, nargs="?", default=default))


def several(metavar: str, *, about: str) -> list[str]:
    """One argument or more."""
    return cast("list[str]", _argument(metavar, about, nargs="+"))


def rest(metavar: str) -> list[str]:
    """All words from the first argument on, read by something else."""
    return cast("list[str]", _argument(metavar, "", nargs="..."))


def flag(*flags: str, about: str) -> bool:
    """An option without a value."""
    return cast("bool", Parameter(flags, about, {"action": "store_true"}))


def switch(*flags: str, about: str) -> bool:
    """An option that is on unless the same with `--no-` before it is given."""
    from argparse import BooleanOptionalAction  # noqa: PLC0415  (two commands have one)

    return cast("bool", Parameter(flags, about, {"action": BooleanOptionalAction, "default": True}))


@overload
def text(*flags: str, metavar: str, about: str, default: str) -> str: ...
@overload
def text(*flags: str, metavar: str, about: str) -> str | None: ...
def text(*flags: str, metavar: str, about: str, default: str | None = None) -> str | None:
    """An option with a value."""
    return cast("str", Parameter(flags, about, {"metavar": metavar, "default": default}))


def texts(*flags: str, metavar: str, about: str) -> list[str]:
    """An option with a value that may be given several times."""
    return cast("list[str]", Parameter(flags, about, {"metavar": metavar, "action": "append", "default": []}))


def file(*flags: str, about: str) -> Path | None:
    """An option with the path of a file."""
    return cast("Path", Parameter(flags, about, {"metavar": "FILE", "type": Path}))


def choice(*flags: str, of: tuple[str, ...], about: str, default: str) -> str:
    """An option with one of some words."""
    return cast("str", Parameter(flags, about, {"metavar": _alternatives(of), "choices": of, "default": default}))


def choices(*flags: str, of: tuple[str, ...], about: str) -> list[str]:
    """An option with one of some words that may be given several times."""
    settings = {"metavar": _alternatives(of), "choices": of, "action": "append", "default": []}
    return cast("list[str]", Parameter(flags, about, settings))


@overload
def number(*flags: str, between: tuple[int, int], about: str, default: int) -> int: ...
@overload
def number(*flags: str, between: tuple[int, int], about: str) -> int | None: ...
def number(*flags: str, between: tuple[int, int], about: str, default: int | None = None) -> int | None:
    """An option with a whole number between two, both included."""
    least, most = between

    def read(given: str) -> int:
        from argparse import ArgumentTypeError  # noqa: PLC0415  (loaded by whatever calls this)

        if not given.isdecimal() or not least <= int(given) <= most:
            raise ArgumentTypeError(f"{given!r} is no whole number from {least} to {most}")
        return int(given)

    return cast("int", Parameter(flags, about, {"metavar": f"{least}…{most}", "type": read, "default": default}))


def _argument(metavar: str, about: str, **settings: Any) -> Parameter:
    return Parameter((), about, {"metavar": metavar, **settings})


def _alternatives(words: tuple[str, ...]) -> str:
    return f"<{'|'.join(words)}>"
