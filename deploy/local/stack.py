"""The whole of Shipway on one machine: Redis, registry, daemon, service, workers."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from deploy.local.dockerd import Dockerd
from deploy.local.engine import INSTALLED, Engine
from deploy.local.ports import free_port, is_free
from deploy.local.processes import Child, Part, PartError
from deploy.local.redis import RedisServer
from deploy.local.registry import Registry
from deploy.local.servers import Service, Shared, WorkerProcess, write_secret


@dataclass(frozen=True)
class Plan:
    """What a stack consists of.

    Attributes:
        state: folder of everything that outlives a restart, and of the logs.
        docker_host: the daemon to use; None starts a private one.
        engine: which Docker a private daemon runs.
        registry: whether to start a registry.
        workers: how many workers to start on the daemon.
        concurrency: how many jobs each runs at once.
        port: of the service; the others take the ports after it where these are free. None: any free ones.
        env: more environment for service and workers, such as `{"SHIPWAY_LEASE": "5"}`.
    """

    state: Path
    docker_host: str | None = None
    engine: Engine = INSTALLED
    registry: bool = True
    workers: int = 1
    concurrency: int = 2
    port: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    def port_after(self, offset: int) -> int:
        """Return the port `offset` after the service's, or any free one."""
        wanted = self.port + offset if self.port else None
        return wanted if wanted and wanted < 2**16 and is_free(wanted) else free_port()


P = TypeVar("P", bound=Part)
T = TypeVar("T")


class Stack:
    """Starts the parts of a plan in order, and stops in reverse order those it started.

    Parts that run already can be given (`redis`, `registry`, `dockerd`): they are used, and left running at the end.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        redis: RedisServer | None = None,
        registry: Registry | None = None,
        dockerd: Dockerd | None = None,
    ) -> None:
        self.plan = plan
        self.workers: dict[str, WorkerProcess] = {}
        self._redis, self.registry, self.dockerd = redis, registry, dockerd
        self._service: Service | None = None
        self._shared: Shared | None = None
        self._own: list[Part] = []
        self._exit = ExitStack()

    @property
    def redis(self) -> RedisServer:
        return _started(self._redis)

    @property
    def service(self) -> Service:
        return _started(self._service)

    @property
    def token(self) -> str:
        """A token with all scopes, in the project `default`."""
        return self.service.token

    @property
    def shared(self) -> Shared:
        """The settings of service and workers, to start more of them by hand."""
        return _started(self._shared)

    @property
    def docker_host(self) -> str:
        """Address of the daemon that the plan's workers use."""
        return self.plan.docker_host or _started(self.dockerd).host

    def start(self) -> None:
        """Start everything; if one part fails, stop the others and raise PartError."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop what was started here, in reverse order."""
        self._exit.close()
        self._own.clear()

    def dead(self) -> Child | None:
        """Return a process of this stack that has ended by itself, or None."""
        return next((part.child for part in self._own if not part.child.alive), None)

    def add_worker(
        self,
        name: str,
        *,
        docker_host: str | None = None,
        concurrency: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> WorkerProcess:
        """Start one more worker, by default on the stack's daemon; raises PartError.

        `settings` are more environment for this worker alone.
        """
        worker = WorkerProcess(
            self.shared,
            self.plan.state / f"worker-{name}",
            name=name,
            docker_host=docker_host or self.docker_host,
            seen=self.service.sees,
            concurrency=concurrency or self.plan.concurrency,
            port=self.plan.port_after(10 + len(self.workers)),
            settings=settings,
        )
        self._begin(worker)
        self.workers[name] = worker
        return worker

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _start(self) -> None:
        plan = self.plan
        plan.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._redis is None:
            self._redis = self._begin(RedisServer(plan.state / "redis", port=plan.port_after(1)))
        if self.registry is None and plan.registry:
            self.registry = self._begin(Registry(plan.state / "registry", port=plan.port_after(2)))
        if self.dockerd is None and plan.docker_host is None:
            self.dockerd = self._begin(Dockerd(plan.state / "docker", engine=plan.engine))
        self._shared = Shared(self._redis.url, plan.state / "store", _secret_key(plan.state), plan.env)
        self._service = self._begin(Service(self._shared, plan.state, port=plan.port))
        for number in range(plan.workers):
            self.add_worker(f"local-{number + 1}")

    def _begin(self, part: P) -> P:
        part.start()
        self._exit.callback(part.stop)
        self._own.append(part)
        return part


def _started(part: T | None) -> T:
    if part is None:
        raise PartError("the stack is not started")
    return part


def _secret_key(state: Path) -> str:
    """The key that protects credentials on their way through Redis: made once, readable by its owner only."""
    file = state / "secret-key"
    if not file.exists():
        write_secret(file, base64.urlsafe_b64encode(os.urandom(32)).decode())  # the form of a Fernet key
    return file.read_text()
