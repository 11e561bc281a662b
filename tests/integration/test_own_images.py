"""Shipway builds its own images with itself; containers of them then build as Shipway does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.engine import REPOSITORY
from deploy.local.plain_http import PLAIN
from deploy.local.ports import LOOPBACK
from deploy.local.servers import authorization
from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from tests.integration.command import Shipway
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.support import python_base

pytestmark = [pytest.mark.engine_independent, pytest.mark.timeout(900)]

log = logging.getLogger(__name__)

WHEELS = REPOSITORY / ".cache/wheels"
IN_CONTAINER = "/var/lib/shipway/store"
REDIS = "own-redis"
Run = Callable[..., str]


@pytest.fixture
def base(dockerd: Dockerd) -> str:
    """A base image with Python, in place of the one that the Dockerfiles name."""
    if not (WHEELS / ".of").exists():
        pytest.skip("the Python packages could not be fetched")
    python_base.make(dockerd.api, WHEELS)
    return python_base.NAME


@pytest.fixture
def redis(base: str, dockerd: Dockerd) -> Iterator[str]:
    """A container with Redis, whose network the others share: there they all are on one loopback."""
    _ask(dockerd, "run", "--detach", f"--name={REDIS}", base, "redis-server", "--bind", LOOPBACK, "--save", "")
    yield REDIS
    dockerd.docker("rm", "--force", REDIS)


@pytest.fixture
def run(dockerd: Dockerd, stack: Stack, redis: str, tmp_path: Path) -> Iterator[Run]:
    """Runs a container of a role's image as it is; gives its name."""
    store = tmp_path / "store"
    store.mkdir()
    store.chmod(0o777)  # the service is not root
    given = {
        "SHIPWAY_REDIS_URL": f"redis://{LOOPBACK}:6379/0",
        "SHIPWAY_SECRET_KEYS": stack.shared.secret_key,
        "SHIPWAY_STORE_URL": f"file://{IN_CONTAINER}",
        "SHIPWAY_WORKER_NAME": "own",
        "SHIPWAY_WORKER_HOST": "0.0.0.0",
    }
    settings = [f"--volume={store}:{IN_CONTAINER}", *(f"--env={key}={value}" for key, value in given.items())]
    started: list[str] = []

    def start(role: str, *options: str) -> str:
        name = f"own-{role}"
        started.append(name)
        network = f"--network=container:{redis}"
        _ask(dockerd, "run", "--detach", f"--name={name}", network, *settings, *options, f"shipway/{role}:1")
        return name

    yield start
    for name in started:
        told = dockerd.docker("logs", "--tail=100", name)
        log.warning("%s said: %s%s", name, told.stdout, told.stderr)  # is shown if the test fails
        dockerd.docker("rm", "--force", name)


def _ask(dockerd: Dockerd, *command: str) -> str:
    told = dockerd.docker(*command)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def _wait_for(url: str, dockerd: Dockerd, container: str) -> None:
    assert wait_until(lambda: _answers(url), 90, every=0.5), dockerd.docker("logs", container)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, **PLAIN).is_success
    except httpx.HTTPError:
        return False


def _succeeded(url: str, token: str) -> bool:
    try:
        answer = httpx.get(url, headers=authorization(token), timeout=5, **PLAIN)
    except httpx.HTTPError:
        return False
    return answer.is_success and answer.json()["state"] == "succeeded"


def test_shipway_builds_itself_and_what_it_built_builds(
    base: str, dockerd: Dockerd, stack: Stack, run: Run, tmp_path: Path
) -> None:
    shipway = Shipway(stack.service.url, stack.token, tmp_path)
    for role in ("service", "worker"):
        file = REPOSITORY / f"deploy/{role}.Dockerfile"
        options = ["-t", f"shipway/{role}:1", "--build-arg", f"BASE={base}", "--quiet"]
        shipway.ok("build", REPOSITORY, "-f", file, *options, limit=600)

    address = _ask(dockerd, "inspect", "--format={{.NetworkSettings.Networks.bridge.IPAddress}}", REDIS)
    service = run("service")
    _wait_for(f"http://{address}:8470/healthz", dockerd, service)
    assert _ask(dockerd, "exec", service, "id", "-u") == "10001"
    token = _ask(dockerd, "exec", service, "python", "-m", "service.tokens", "create", "--admin")
    socket = dockerd.host.removeprefix("unix://")
    worker = run("worker", f"--volume={socket}:/var/run/docker.sock")
    _wait_for(f"http://{address}:8471/readyz", dockerd, worker)

    with HttpApi(f"http://{address}:8470", token) as api:
        job_id = api.submit(script("FROM base", f"RUN echo {(word := once())}")).id
        # Asked anew each time: seen three times, a stream's end never came through the daemon's bridge.
        record = f"http://{address}:8470/v1/jobs/{job_id}"
        assert wait_until(lambda: _succeeded(record, token), 90, every=0.5), dockerd.docker("logs", worker)
        job = api.job(job_id)
        assert word in api.log(job.id)
        assert job.worker == "own"
