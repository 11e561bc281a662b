"""64 small builds in which nothing has changed, at once, by the SDK in one process: against as many `docker build`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.lab import Lab, say, timed
from bench.report import Row
from bench.workloads import SMALL, Tree
from deploy.local.processes import PartError
from shipway.client import AsyncClient
from shipway.models.job import JobState

BUILDS, QUICK_BUILDS = 64, 16
GOAL = 0.7
SECOND = "burst-2"


def measure(lab: Lab) -> Iterator[Row]:
    """Two workers on the daemon that docker builds with, too; each build has a name of its own."""
    builds = QUICK_BUILDS if lab.quick else BUILDS
    say(f"burst: {builds} builds at once")
    tree = Tree(lab.folder / "tree", SMALL)
    tree.renew()
    second = lab.stack.add_worker(SECOND)
    try:
        ours, theirs = _Ours(lab, tree, builds), _Theirs(lab, tree, builds)
        ours()
        theirs()
        samples = lab.alternating({"shipway": ours, "docker": theirs})
    finally:
        second.stop()
    yield Row(f"{builds} small cached builds at once", "docker buildkit", samples["shipway"], samples["docker"], GOAL)


class _Ours:
    def __init__(self, lab: Lab, tree: Tree, builds: int) -> None:
        self._lab, self._tree, self._builds = lab, tree, builds

    def __call__(self) -> float:
        began = time.monotonic()
        asyncio.run(self._all())
        return time.monotonic() - began

    async def _all(self) -> None:
        async with AsyncClient(self._lab.stack.service.url, token=self._lab.stack.token) as client:
            await asyncio.gather(*(self._one(client, number) for number in range(self._builds)))

    async def _one(self, client: AsyncClient, number: int) -> None:
        job = await client.build(str(self._tree.root), tags=[f"burst-{number}:bench"])
        ended = await client.wait(job.id)
        if ended.state is not JobState.SUCCEEDED:
            raise PartError(f"job {job.id} {ended.state}: {ended.error}")


class _Theirs:
    def __init__(self, lab: Lab, tree: Tree, builds: int) -> None:
        self._lab, self._tree, self._builds = lab, tree, builds

    def __call__(self) -> float:
        began = time.monotonic()
        with ThreadPoolExecutor(self._builds) as pool:
            list(pool.map(self._one, range(self._builds)))
        return time.monotonic() - began

    def _one(self, number: int) -> None:
        timed([self._lab.docker, "build", str(self._tree.root), "-t", f"burst-{number}:docker"], self._lab.docker_env)
