"""What docs/operating.md tells an operator to type, typed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.servers import Service
from deploy.local.stack import Stack
from tests.integration.contexts import once, script
from tests.integration.documents import commands
from tests.integration.http_api import HttpApi

pytestmark = pytest.mark.engine_independent

PAGE = "docs/operating.md"
"""Its commands about workers are run with the guide for Docker's users, which has them too."""


def _type(wanted: str, folder: Path, **env: str) -> None:
    """Run those commands of the page that hold a word."""
    found = [command for command in commands(PAGE) if re.search(wanted, command)]
    assert found, wanted
    for command in found:
        path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        ran = subprocess.run(
            ["/bin/bash", "-euc", command], cwd=folder, env=path | env, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def restored(stack: Stack, tmp_path: Path) -> Iterator[Callable[[], Service]]:
    """Saves the stack's data while it runs; returns a service that was started on what was restored elsewhere."""
    port, new, store = free_port(), tmp_path / "redis", tmp_path / "store"
    elsewhere = replace(stack.shared, redis_url=f"redis://{LOOPBACK}:{port}/0", store=store)
    service = Service(elsewhere, tmp_path)

    def restore() -> Service:
        for folder in (new, store):
            folder.mkdir()
        _type(r"--rdb|czf", tmp_path, SHIPWAY_REDIS_URL=stack.redis.url, STORE=str(stack.shared.store))
        (tmp_path / "shipway.rdb").rename(new / "shipway.rdb")
        _type(r"appendonly|xzf", tmp_path, PORT=str(port), NEW=str(new), NEW_STORE=str(store))
        service.start()
        return service

    yield restore
    service.stop()
    subprocess.run(["redis-cli", "-p", str(port), "shutdown", "nosave"], capture_output=True, check=False)


def test_what_was_saved_is_there_after_it_was_restored_elsewhere(
    restored: Callable[[], Service], stack: Stack, api: HttpApi
) -> None:
    job = api.succeed(script("FROM base", f"RUN echo {(word := once())}"))

    service = restored()

    with HttpApi(service.url, stack.token) as there:
        assert there.job(job.id) == api.job(job.id)
        assert word in there.http.get(f"/v1/jobs/{job.id}/log").text
        assert there.ask(script("FROM base")).status_code == 202
