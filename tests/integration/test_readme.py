"""Every command of the README but `make` runs as it stands there, with this stack's addresses put in."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from deploy.local.registry import Registry
from deploy.local.stack import Stack
from tests.integration.command import SHIPWAY, Shipway, write
from tests.integration.contexts import once

pytestmark = pytest.mark.engine_independent

README = Path(__file__).resolve().parents[2] / "README.md"
APP = "FROM base AS app\nARG VERSION\nRUN --mount=type=secret,id=token true # {word}\nFROM app\nRUN echo last\n"


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    lines = [line.partition("   #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("make ")]


def test_every_command_of_the_readme_works(stack: Stack, registry: Registry, tmp_path: Path) -> None:
    shipway = Shipway(stack.service.url, stack.token, tmp_path)
    write(tmp_path, {"Dockerfile": APP.format(word=once()).encode(), "token.txt": b"secret", "a.txt": b"a"})
    env = {**shipway.env, "PATH": f"{SHIPWAY.parent}:{shipway.env['PATH']}"}
    job_id = ""

    for command in commands():
        concrete = command.replace("127.0.0.1:8472", registry.address).replace("http://127.0.0.1:8470", shipway.url)
        concrete = re.sub(r"\bID\b", job_id, concrete)
        ran = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", concrete],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
        ended = "had already succeeded" in ran.stderr  # what `cancel` says of the job followed to its end before
        assert ran.returncode == 0 or ended, f"{concrete}\n{ran.stdout}{ran.stderr}"
        assert '{"error"' not in ran.stdout, f"{concrete}\n{ran.stdout}"
        if "--detach" in command:
            job_id = ran.stdout.strip()

    assert len(commands()) >= 12
