"""Runs the program that an operator has sign what is pushed: `SHIPWAY_WORKER_SIGNER`.

It gets one argument, `name@sha256:…`, so that it signs what was built, whatever its tag says by then. No shell reads
that; the environment holds where programs and the home folder are, and nothing of the worker's own.
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from contextlib import suppress
from pathlib import Path

from shipway.exceptions import BuildSystemError

INHERITED = ("PATH", "HOME", "LANG")
MAX_TOLD = 16 * 1024
"""Bytes of the program's output that are kept."""


async def sign(program: Path, image: str, limit: float) -> str:
    """Have an image signed; returns what the program wrote.

    Args:
        program: what to run.
        image: `name@sha256:…`, which the registry has.
        limit: seconds that it may take.

    Raises:
        BuildSystemError: it can't be run, failed, or took too long (`signing-failed`).
    """
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            program, image, env=env, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
        )
    except OSError as fault:
        raise _failed(image, f"its program can't be run: {fault.strerror}") from fault
    try:
        async with asyncio.timeout(limit):
            told, _ = await process.communicate()
    except TimeoutError as fault:
        raise _failed(image, f"its program took more than {limit:g} s") from fault
    finally:
        with suppress(ProcessLookupError):  # it ended, or it goes now, and what it started with it
            os.killpg(process.pid, 9)
    text = told[:MAX_TOLD].decode(errors="replace")
    if process.returncode != 0:
        raise _failed(image, f"its program ended with exit code {process.returncode}: {text.strip()[-500:]}")
    return text


def _failed(image: str, why: str) -> BuildSystemError:
    return BuildSystemError(f"{image} was pushed but not signed: {why}", slug="signing-failed")
