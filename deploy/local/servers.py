"""Shipway's own two processes, the service and the worker, started as an operator would start them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.local.engine import REPOSITORY
from deploy.local.plain_http import PLAIN
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import Child, Part, PartError

GRACE = 5.0
"""Seconds that running jobs get when a worker of the local stack stops; what is unfinished goes back to the queue."""


@dataclass(frozen=True)
class Shared:
    """What service and workers must be told alike; the one place where the local stack sets their settings."""

    redis_url: str
    store: Path
    secret_key: str = field(repr=False)
    extra: Mapping[str, str] = field(default_factory=dict)

    def env(self, **own: str | float | Path) -> dict[str, str]:
        """Environment of one process: this one's without its SHIPWAY settings, the shared ones, and its own."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SHIPWAY_")}
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "SHIPWAY_REDIS_URL": self.redis_url,
            "SHIPWAY_STORE_URL": f"file://{self.store.resolve()}",
            "SHIPWAY_SECRET_KEYS": self.secret_key,
            "SHIPWAY_FETCH_ALLOW": "127.0.0.0/8,::1",
            "SHIPWAY_HOST_NETWORK": "*",
            **{f"SHIPWAY_{key.upper()}": str(value) for key, value in own.items()},
            **self.extra,
        }


class Service(Part):
    """The HTTP service under uvicorn on 127.0.0.1."""

    def __init__(self, shared: Shared, state: Path, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._shared = shared
        self._token_file = state / "admin-token"
        command = [
            *(sys.executable, "-m", "uvicorn", "--factory", "service.main:create_app"),
            *("--host", LOOPBACK, "--port", str(self.port)),
            *("--timeout-graceful-shutdown", "3"),  # followers of events never hang up by themselves
            *("--no-server-header", "--http", "service.patience:Patient"),
        ]
        self.child = Child("service", command, log=state / "service.log", env=shared.env(), cwd=REPOSITORY)

    def start(self) -> None:
        """Start it (again), wait until it accepts jobs, and have an administrator's token; raises PartError."""
        self._shared.store.mkdir(parents=True, exist_ok=True)
        self.child.start(self.ready, limit=60)
        if not self.token or not self._accepts(self.token):
            self.issue_token()

    @property
    def token(self) -> str:
        """A token with all scopes in the project `default`; '' before the first start."""
        return self._token_file.read_text() if self._token_file.exists() else ""

    def issue_token(self) -> None:
        """Have the server's own command make a new token, kept readable by its owner only; raises PartError."""
        command = [sys.executable, "-m", "service.tokens", "create", "--admin", "--name", "the local stack"]
        made = subprocess.run(
            command, env=self._shared.env(), cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            raise PartError(f"no token could be made: {made.stderr.strip()}")
        self._token_file.unlink(missing_ok=True)
        write_secret(self._token_file, made.stdout.strip())

    def ready(self) -> bool:
        """Whether it says that it can accept jobs."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, **PLAIN).is_success
        except httpx.HTTPError:
            return False

    def _accepts(self, token: str) -> bool:
        answer = httpx.get(f"{self.url}/v1/tokens/self", headers=authorization(token), timeout=20, **PLAIN)
        return answer.is_success

    def sees(self, worker: str) -> bool:
        """Whether it lists `worker` as ready."""
        try:
            answer = httpx.get(
                f"{self.url}/v1/workers", headers=authorization(self.token), timeout=5, **PLAIN
            ).raise_for_status()
        except httpx.HTTPError:
            return False
        return any(one["name"] == worker and one["state"] == "ready" for one in answer.json()["workers"])


def authorization(token: str) -> dict[str, str]:
    """The header that says who one is."""
    return {"Authorization": f"Bearer {token}"}


def write_secret(file: Path, secret: str) -> None:
    """Write a new file that only its owner can read."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(secret)


class WorkerProcess(Part):
    """A worker bound to the daemon at `docker_host`.

    Args:
        shared: settings it has in common with the service.
        state: folder for its log, its cache and its temporary files.
        seen: asked with its name whether it is there, as others see it.
    """

    def __init__(
        self,
        shared: Shared,
        state: Path,
        *,
        name: str,
        docker_host: str,
        seen: Callable[[str], bool],
        concurrency: int = 2,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.port = port or free_port()
        self.metrics_url = f"http://{LOOPBACK}:{self.port}/metrics"
        self._seen = seen
        self._temporary = state / "tmp"
        env = shared.env(
            worker_name=name,
            worker_concurrency=concurrency,
            worker_host=LOOPBACK,
            worker_port=self.port,
            worker_cache=state / "cache",
            worker_grace=GRACE,
            docker_host=docker_host,
        )
        env |= {"TMPDIR": str(self._temporary), **(settings or {})}
        self.child = Child(
            f"worker {name}", [sys.executable, "-m", "workers"], log=state / "worker.log", env=env, cwd=REPOSITORY
        )

    def start(self) -> None:
        """Start it (again) and wait until the service sees it; raises PartError."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        self.child.start(lambda: self._seen(self.name), limit=60)

    def stop(self) -> None:
        self.child.stop(grace=GRACE + 15)
