"""1,000 followers of one live build beside a single one: how late they are told, and what they cost the service."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from urllib.parse import urlsplit

from bench.jobs import Api
from bench.lab import Lab, say
from bench.memory import Peak
from bench.report import Row, Score, Unit
from deploy.local import base_image
from deploy.local.processes import PartError

FOLLOWERS, QUICK_FOLLOWERS = 1000, 100
GOAL = 1.0
"""Seconds within which 99 of 100 events reach whoever follows."""
MEMORY_GOAL = 150 * 10**6
AT_ONCE = 10
"""Connections that are made at the same time."""
ATTEMPTS = 5
LIMIT = 400.0
_EVENT = re.compile(rb"data: ([^\r\n]+)\r\n")
WATCHED = 10.0
"""Seconds that everyone follows before the build is cancelled."""
_STEP = "while true; do date; sleep 0.2; done"


def measure(lab: Lab) -> Iterator[Row]:
    """Delays are from Redis's time of an event to its arrival, once everyone is there."""
    followers = QUICK_FOLLOWERS if lab.quick else FOLLOWERS
    with Api(lab.stack.service.url, lab.stack.token) as api:
        crowd = _Crowd(lab, api)
        say("followers: one, for comparison")
        alone = crowd.follow(1)
        say(f"followers: {followers:,} of one build")
        peak = Peak(lab.stack.service.child.pid)
        together = crowd.follow(followers)
    name = f"{followers:,} followers"
    yield Row(f"{name}: p99 delay", "one follower", [_p99(together)], [_p99(alone)], GOAL, Score.VALUE)
    yield Row(f"{name}: service grows by", "", [peak.growth], [], MEMORY_GOAL, Score.VALUE, Unit.BYTES)


class _Crowd:
    def __init__(self, lab: Lab, api: Api) -> None:
        self._lab = lab
        self._api = api
        self._root = lab.folder / "followed"
        self._times = count()

    def follow(self, followers: int) -> list[float]:
        """Run a build that writes five lines a second; returns every delay of every follower. Raises PartError."""
        self._root.mkdir(exist_ok=True)
        (self._root / "Dockerfile").write_text(f"FROM {base_image.REFERENCE}\nRUN {_STEP} # {next(self._times)}\n")
        context = self._api.upload_context(self._root)
        job_id = self._api.submit("/v1/builds", {"context": context, "tags": ["followed:bench"]})
        found = asyncio.run(self._followed(job_id, followers))
        events = self._api.ended(job_id).events
        for one in found:
            if one.numbers != list(range(1, events + 1)):
                raise PartError(f"a follower was told {len(one.numbers)} of {events} events, or not in order")
        return [delay for one in found for delay in one.delays]

    async def _followed(self, job_id: str, followers: int) -> list[_One]:
        service, path = self._lab.stack.service, f"/v1/jobs/{job_id}/events"
        gate, everyone, crowd = asyncio.Semaphore(AT_ONCE), _Everyone(followers), [_One() for _ in range(followers)]
        async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
            for one in crowd:
                tasks.create_task(one.run(service.url, service.token, path, gate, everyone))
            await everyone.there.wait()
            await asyncio.sleep(WATCHED)
            await asyncio.to_thread(self._api.cancel, job_id)
        return crowd


class _One:
    """One follower, by hand: an HTTP client's own work would drown what is measured."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._arrivals: list[tuple[float, float]] = []
        self.delays: list[float] = []

    async def run(self, url: str, token: str, path: str, gate: asyncio.Semaphore, everyone: _Everyone) -> None:
        async with gate:
            reader, writer = await _opened(url, token, path)
            everyone.arrive()
        try:
            while size := int(await reader.readline() or b"0", 16):
                self._take(await reader.readexactly(size + 2))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        self.delays = [arrived - at for at, arrived in self._arrivals if at > everyone.since]

    def _take(self, chunk: bytes) -> None:
        arrived = time.time()
        for found in _EVENT.finditer(chunk):
            event = json.loads(found[1])
            self.numbers.append(event["seq"])
            self._arrivals.append((event["at"], arrived))


async def _opened(url: str, token: str, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for the stream, again after a moment where the service asks for patience, as any client does."""
    address = urlsplit(url)
    ask = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    for _ in range(ATTEMPTS):
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**20)
        writer.write(ask)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " in head.partition(b"\r\n")[0]:
            return reader, writer
        writer.close()
        if b" 503 " not in head.partition(b"\r\n")[0]:
            break
        await asyncio.sleep(1)
    raise PartError(f"a follower got {head!r}")


class _Everyone:
    """Knows since when all are there (seconds since the epoch)."""

    def __init__(self, missing: int) -> None:
        self._missing = missing
        self.since = float("inf")
        self.there = asyncio.Event()

    def arrive(self) -> None:
        self._missing -= 1
        if not self._missing:
            self.since = time.time()
            self.there.set()


def _p99(delays: list[float]) -> float:
    if not delays:
        raise PartError("the build had ended before everyone followed it")
    return sorted(delays)[int(len(delays) * 0.99)]
