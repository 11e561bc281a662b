"""A whole Shipway of which every part can be hurt: two workers with a daemon each, two replicas of the service,
Redis with its append-only file, a registry, and a link that can be cut before each of the two servers."""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import httpx
import redis

from deploy.local.dockerd import Dockerd
from deploy.local.plain_http import PLAIN
from deploy.local.processes import Child
from deploy.local.redis import RedisServer
from deploy.local.registry import Registry
from deploy.local.servers import Service, Shared, WorkerProcess
from deploy.local.waiting import wait_until
from shipway.models.event import BODY, Event
from shipway.models.job import Job
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.support.tcp_proxy import TcpProxy

NAMES = ("a", "b")
LEASE = 4.0
"""Seconds: short, so that the tests are quick. What depends on it scales with it."""
GRACE = 5.0
SETTINGS = {
    "SHIPWAY_LEASE": str(LEASE),
    "SHIPWAY_WORKER_GRACE": str(GRACE),
    "SHIPWAY_WORKER_MIN_FREE_BYTES": str(64 * 2**20),
}


class _Part(Protocol):
    @property
    def child(self) -> Child: ...

    def start(self) -> None: ...


class Running(NamedTuple):
    """A build that runs: its job, the worker that has it, and the one that hasn't."""

    job: Job
    worker: str
    other: str


class Fleet:
    """The parts by their names.

    Args:
        state: folder for everything the parts keep.
        daemons: those of worker `a` and `b`, running; not stopped at the end.
        redis: the program that is its Redis.
    """

    def __init__(self, state: Path, daemons: Mapping[str, Dockerd], redis: str = "redis-server") -> None:
        self.state = state
        self.daemons = daemons
        self.redis = RedisServer(state / "redis", program=redis)
        self.registry = Registry(state / "registry")
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        self.state.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._exit.close()

    @property
    def api(self) -> HttpApi:
        """The first replica; the second is `apis[1]`."""
        return self.apis[0]

    @property
    def store(self) -> Path:
        return self.state / "store"

    def tag(self, name: str | None = None) -> str:
        """A name in the registry, through its link."""
        return f"{self.to_registry.address}/{name or once()}:1"

    def records(self) -> redis.Redis:
        """A connection of the test's own to Redis, past every link."""
        return redis.Redis.from_url(self.redis.url, decode_responses=True)

    def issue_tokens(self) -> None:
        """Have new tokens made, as an operator does for a Redis that has lost all it had."""
        for service, api in zip(self.services, self.apis, strict=True):
            service.issue_token()
            api.use(service.token)

    def heal(self) -> None:
        """Restore every link, wake and start again what is stopped, and wait until every part says it is well."""
        for link in self.links:
            link.restore()
        for child in self._children():
            if child.alive:
                os.kill(child.pid, signal.SIGCONT)
        for part in self._parts():
            if not part.child.alive:
                part.start()
        for name in self.workers:
            if not wait_until(lambda name=name: self.state_of(name) == "ready", 60):  # type: ignore[misc]
                raise AssertionError(f"worker {name} is not ready: {self.state_of(name)}")

    def state_of(self, worker: str) -> str:
        """What the service says of a worker; `gone` if it doesn't list it, `?` if the service can't tell."""
        try:
            listed = self.api.http.get("/v1/workers", timeout=20)
        except httpx.HTTPError:
            return "?"
        if not listed.is_success:
            return "?"
        return next((str(one["state"]) for one in listed.json()["workers"] if one["name"] == worker), "gone")

    def problem_of(self, worker: str) -> str:
        """What a worker's own `/readyz` says; '' if it is ready."""
        url = f"http://127.0.0.1:{self.workers[worker].port}/readyz"
        answer = httpx.get(url, timeout=5, **PLAIN)
        return "" if answer.is_success else answer.text.strip()

    def running(self, context: Mapping[str, bytes], until: str = "line 2", **options: Any) -> Running:
        """Start a build that is pushed, and wait until it has written something."""
        job = self.api.submit(context, tags=[self.tag()], push=True, **options)
        self.api.wait_for_text(job.id, until)
        worker = self.api.job(job.id).worker or ""
        return Running(job, worker, next(name for name in NAMES if name != worker))

    def so_far(self, job_id: str) -> list[Event]:
        """The events of a job that there are now, past every link and the service."""
        with self.records() as redis:
            entries = redis.xrange(f"shipway:job:{job_id}:events")
        return [
            Event(seq=seq, at=float(e["at"]), attempt=int(e["attempt"]), body=BODY.validate_json(e["body"]))
            for seq, (_, e) in enumerate(entries, 1)
        ]

    def pool(self, worker: str) -> list[int]:
        """Process ids of a worker's pool; none when it is dead."""
        pid = self.workers[worker].child.pid
        try:
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:  # it is dead
            return []

    def signal(self, worker: str, number: signal.Signals) -> None:
        """Send a signal to a worker's main process and its whole pool."""
        for pid in (self.workers[worker].child.pid, *self.pool(worker)):
            os.kill(pid, number)

    @contextmanager
    def only(self, worker: str) -> Iterator[None]:
        """Let the other workers take no jobs meanwhile."""
        others = [name for name in self.workers if name != worker]
        for name in others:
            self.api.http.post(f"/v1/workers/{name}/drain").raise_for_status()
        assert wait_until(lambda: all(self.problem_of(name) == "drained" for name in others), 60)
        try:
            yield
        finally:
            for name in others:
                self.api.http.post(f"/v1/workers/{name}/resume").raise_for_status()
            assert wait_until(lambda: all(not self.problem_of(name) for name in others), 60)

    @contextmanager
    def another(self, name: str, daemon: Dockerd, **settings: str) -> Iterator[WorkerProcess]:
        """A worker more on a daemon, with environment of its own, for as long as the block lasts."""
        worker = WorkerProcess(
            self.shared,
            self.state / f"worker-{name}",
            name=name,
            docker_host=daemon.host,
            seen=self.services[0].sees,
            settings=settings,
        )
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()

    def _children(self) -> list[Child]:
        return [part.child for part in self._parts()]

    def _parts(self) -> list[_Part]:
        """Every part, in the order in which they are started."""
        return [self.redis, self.registry, *self.daemons.values(), *self.services, *self.workers.values()]

    def _start(self) -> None:
        enter = self._exit.enter_context
        enter(self.redis)
        enter(self.registry)
        self.to_redis = {name: enter(TcpProxy(self.redis.port)) for name in (*NAMES, "service")}
        self.to_registry = enter(TcpProxy(self.registry.port))
        self.links = [*self.to_redis.values(), self.to_registry]
        key = base64.urlsafe_b64encode(os.urandom(32)).decode()
        self.shared = Shared(self._url("service"), self.store, key, SETTINGS)
        self.services = [self._service(name) for name in ("one", "two")]
        self.workers = {name: self._worker(name) for name in NAMES}
        self.apis = [enter(HttpApi(service.url, service.token)) for service in self.services]

    def _service(self, name: str) -> Service:
        folder = self.state / f"service-{name}"
        service = Service(self.shared, folder)
        service.start()
        self._exit.callback(service.stop)
        return service

    def _worker(self, name: str) -> WorkerProcess:
        return self._exit.enter_context(self.another(name, self.daemons[name], SHIPWAY_REDIS_URL=self._url(name)))

    def _url(self, client: str) -> str:
        return f"redis://{self.to_redis[client].address}/0"


def talk(seconds: float, word: str | None = None) -> dict[str, bytes]:
    """A context whose build writes a line five times a second, for so long; never cached."""
    count = round(seconds * 5)
    return script("FROM base", f"RUN for i in $(seq 1 {count}); do echo line $i; sleep 0.2; done # {word or once()}")
