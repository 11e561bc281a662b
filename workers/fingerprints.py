"""Names steps by what they are made of, so that one worker's can be found among another's.

BuildKit's own digests won't do: whatever builds upon the context has another one with every session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from shipway.context.taking import Taking, instruction_of, takes_files
from shipway.models.context import Manifest
from shipway.models.event import Step

_LENGTH = 16
"""Hexadecimal digits: few enough to keep thousands, many enough to tell them apart."""


def fingerprints(steps: Iterable[Step], build_args: Mapping[str, str], context: Manifest) -> dict[int, str]:
    """Name each step, by number, by its instruction, the files it copies, the arguments and the steps it builds upon.

    Two steps of one name give the same result; one step may have several, such as when an argument changes that it
    does not use.
    """
    found: dict[int, str] = {}
    arguments = repr(sorted(build_args.items()))
    for step in steps:
        instruction = instruction_of(step.name)
        files = _copied(instruction, context) if takes_files(instruction) else ""
        inputs = sorted(found[number] for number in step.inputs if number in found)
        found[step.number] = _digest(instruction, arguments, files, *inputs)
    return found


def _copied(instruction: str, context: Manifest) -> str:
    taking = Taking(instruction)
    if taking.everything:
        return context.digest
    taken = (entry for entry in context if entry.path in taking)
    return _digest(*(f"{entry.path} {entry.mode} {entry.digest} {entry.link}" for entry in taken))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_LENGTH]
