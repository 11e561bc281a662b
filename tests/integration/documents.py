"""The commands that stand in a document, run as a reader would."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.local.engine import REPOSITORY
from tests.integration.command import SHIPWAY, Shipway

LIMIT = 240
"""Seconds that one command may take."""


def commands(document: str) -> list[str]:
    """All lines of a document's shell blocks but comments and `make`."""
    blocks = re.findall(r"```sh\n(.*?)```", (REPOSITORY / document).read_text(), re.DOTALL)
    lines = [line.partition("   #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("make ")]


def programs(document: str) -> list[str]:
    """All of a document's Python blocks, as commands."""
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / document).read_text(), re.DOTALL)
    return [f"python - <<'PROGRAM'\n{block}PROGRAM" for block in blocks]


def run_all(document: str, shipway: Shipway, addresses: Mapping[str, str]) -> int:
    """Run every command of a document in the folder of `shipway`; returns how many there are.

    Args:
        document: its path in the repository.
        shipway: whose service and folder are used.
        addresses: what to put in place of the addresses in the document. `ID` is the last job that was left to run.

    Raises:
        AssertionError: one of them failed.
    """
    env = {**shipway.env, "PATH": f"{SHIPWAY.parent}:{shipway.env['PATH']}"}
    job_id = ""
    every = [*commands(document), *programs(document)]
    for command in every:
        concrete = re.sub(r"\bID\b", job_id, command)
        for written, address in addresses.items():
            concrete = concrete.replace(written, address)
        ran = _run(concrete, shipway.folder, env)
        ended = "had already succeeded" in ran.stderr  # what `cancel` says of the job followed to its end before
        assert ran.returncode == 0 or ended, f"{concrete}\n{ran.stdout}{ran.stderr}"
        assert '{"error"' not in ran.stdout, f"{concrete}\n{ran.stdout}"
        if "--detach" in command:
            job_id = ran.stdout.strip()
    return len(every)


def _run(command: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LIMIT,
        check=False,
    )
