"""Standard input, as commands read archives and contexts from it."""

from __future__ import annotations

from typing import BinaryIO

STANDARD_INPUT = "-"
"""The word for it on the command line."""


def standard_input() -> BinaryIO:
    """Open it without a buffer: a buffer's lock, held by a thread that waits for input, would stop the interpreter."""
    return open(0, "rb", buffering=0, closefd=False)
