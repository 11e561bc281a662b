"""A daemon that dies in mid-build is never mistaken for a build that failed, or worse, one that succeeded."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from deploy.local.dockerd import Dockerd
from shipway.exceptions import BuildSystemError
from tests.integration.engine.driving import Recorder, build, once, script
from tests.integration.engine.test_cancel import processes, until
from workers.engine import Engine

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])


@BUILDERS
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_daemon_that_dies_in_mid_build_is_lost(
    doomed_dockerd: Dockerd, builder: str, how: signal.Signals
) -> None:
    sink, nap = Recorder(), f"1000.{int(once()[:6], 16)}"
    async with Engine(doomed_dockerd.host) as engine:
        task = asyncio.create_task(build(engine, script("FROM base", f"RUN sleep {nap}"), sink=sink, builder=builder))
        assert await until(lambda: processes(nap))

        os.kill(doomed_dockerd.child.pid, how)

        with pytest.raises(BuildSystemError) as caught:
            await asyncio.wait_for(task, 20)
    for process in processes(nap):  # a BuildKit step can outlive a killed daemon
        os.kill(process, signal.SIGKILL)

    assert (caught.value.slug, caught.value.retryable) == ("daemon-lost", True)
