"""A registry behind a login and a private CA: who may use which login, and where its password is never seen."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy.local import base_image, bridge
from deploy.local.authority import Authority
from deploy.local.dockerd import Dockerd
from deploy.local.ports import free_port
from deploy.local.registry import Login, Registry
from tests.integration.command import Shipway, write
from tests.integration.contexts import once
from tests.integration.extra_worker import extra_worker
from tests.integration.fleet import Fleet
from tests.integration.leftovers import nothing_left

WORKER = "three"
CERTIFICATES = Path("/etc/docker/certs.d")
"""Docker's own place. BuildKit of Engine 20.10 looks there only when its daemon starts."""
BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])


class Private(NamedTuple):
    """A registry that wants a login over TLS, and the worker `three` whose daemon trusts its CA.

    Attributes:
        registry: the registry.
        daemon: the worker's.
        trusted: the CA's certificate, where the daemon looks for it.
        config: folder of the worker's own Docker configuration, empty but in the test about it.
        programs: folder on the worker's PATH.
    """

    registry: Registry
    daemon: Dockerd
    trusted: Path
    config: Path
    programs: Path

    @property
    def password(self) -> str:
        assert self.registry.login is not None
        return self.registry.login.password

    def name(self, path: str) -> str:
        return f"{self.registry.address}/{path}:{once()[:8]}"


@pytest.fixture(scope="module")
def private(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Private]:
    # Every daemon takes a registry on a loopback address as an insecure one, whose certificate it does not look at.
    folder, host = tmp_path_factory.mktemp("private"), bridge.address(fleet.one.name)
    authority = Authority(folder / "ca")
    login, port = Login("ada", f"byron-{secrets.token_hex(8)}"), free_port()
    trusted = CERTIFICATES / f"{host}:{port}" / "ca.crt"
    trusted.parent.mkdir(parents=True)
    trusted.write_bytes(authority.certificate.read_bytes())
    try:
        with (
            Registry(
                folder / "blobs", host=host, port=port, login=login, certificate=authority.issue(host)
            ) as registry,
            Dockerd(folder / "docker", engine=fleet.one.engine) as daemon,
        ):
            base_image.make(daemon.api)
            config, programs = folder / "config", folder / "bin"
            settings = {"SHIPWAY_WORKER_DOCKER_CONFIG": str(config), "PATH": f"{programs}:{os.environ['PATH']}"}
            with extra_worker(fleet.stack, WORKER, docker_host=daemon.host, settings=settings):
                yield Private(registry, daemon, trusted, config, programs)
    finally:
        trusted.unlink()
        trusted.parent.rmdir()


def log_in(shipway: Shipway, private: Private) -> None:
    address = private.registry.address
    told = shipway.ok("login", address, "-u", "ada", "--password-stdin", stdin=f"{private.password}\n".encode())
    assert told == "Login Succeeded\n"


@pytest.fixture
def logged_in(shipway: Shipway, private: Private) -> Iterator[None]:
    """The project has a login; the command's user has none."""
    log_in(shipway, private)
    yield
    shipway.ok("logout", private.registry.address)


def build(shipway: Shipway, dockerfile: str, *words: str) -> dict[str, Any]:
    """Build on the worker that trusts the registry; returns the metadata."""
    write(shipway.folder, {"Dockerfile": dockerfile.encode()})
    shipway.ok("build", ".", "--worker", WORKER, "--metadata-file", "metadata.json", *words)
    told: dict[str, Any] = json.loads((shipway.folder / "metadata.json").read_text())
    return told


def pulled(shipway: Shipway, name: str) -> tuple[bool, bool]:
    """Whether the worker can pull an image, and whether it was told that it may not."""
    done = shipway("pull", name, "--workers", WORKER)
    return done.returncode == 0, "(registry-denied)" in done.stderr


def test_login_is_kept_for_every_job_until_logout(shipway: Shipway, private: Private) -> None:
    name = private.name("kept")
    log_in(shipway, private)
    shipway.ok("push", "base", "--worker", WORKER, "-t", name)
    private.daemon.docker("rmi", name)
    assert pulled(shipway, name) == (True, False)

    left = shipway.ok("logout", private.registry.address)

    assert left == f"Removing login credentials for {private.registry.address}\n"
    assert pulled(shipway, name) == (False, True)
    assert shipway.ok("logout", private.registry.address) == f"Not logged in to {private.registry.address}\n"


@BUILDERS
@pytest.mark.usefixtures("logged_in")
def test_base_image_behind_the_login(shipway: Shipway, private: Private, builder: str) -> None:
    name = private.name("bases/app")
    shipway.ok("push", "base", "--worker", WORKER, "-t", name)
    private.daemon.docker("rmi", name)

    told = build(shipway, f"FROM {name}\nRUN echo {once()}\n", "--builder", builder)

    assert told["image_id"].startswith("sha256:")


@BUILDERS
@pytest.mark.usefixtures("logged_in")
def test_cached_steps_from_an_image_behind_the_login(shipway: Shipway, private: Private, builder: str) -> None:
    name, dockerfile = private.name("caches/app"), f"FROM base\nRUN echo {once()} > /word\nRUN echo more > /more\n"
    options = ["--builder", builder, "--build-arg", "BUILDKIT_INLINE_CACHE=1"]
    build(shipway, dockerfile, *options, "-t", name, "--push")
    private.daemon.docker("rmi", "--force", name)
    private.daemon.docker("builder", "prune", "--all", "--force")

    told = build(shipway, dockerfile, *options, "--cache-from", name)

    assert told["cache_hit_ratio"] == 1


def test_login_that_the_registry_refuses_is_not_kept(shipway: Shipway, private: Private) -> None:
    address = private.registry.address

    done = shipway("login", address, "-u", "ada", "--password-stdin", stdin=b"shelley")

    assert (done.returncode, "(registry-denied)" in done.stderr) == (1, True), done.stderr
    assert shipway.ok("logout", address) == f"Not logged in to {address}\n"


@pytest.mark.parametrize(
    ("address", "slug"), [("127.0.0.1:1", "registry-unreachable"), ("no registry", "invalid-registry-name")]
)
def test_login_to_no_registry_is_told(shipway: Shipway, private: Private, address: str, slug: str) -> None:
    done = shipway("login", address, "-u", "ada", "--password-stdin", stdin=b"x")

    assert (done.returncode, f"({slug})" in done.stderr) == (1, True), done.stderr


def test_workers_own_login_is_used_by_way_of_a_credential_program(shipway: Shipway, private: Private) -> None:
    name = private.name("own")
    log_in(shipway, private)
    shipway.ok("push", "base", "--worker", WORKER, "-t", name)
    shipway.ok("logout", private.registry.address)
    private.daemon.docker("rmi", name)
    answer = json.dumps({"Username": "ada", "Secret": private.password})
    write(private.programs, {"docker-credential-vault": f"#!/bin/sh\ncat > /dev/null\necho '{answer}'\n".encode()})
    (private.programs / "docker-credential-vault").chmod(0o700)
    config = write(
        private.config, {"config.json": json.dumps({"credHelpers": {private.registry.address: "vault"}}).encode()}
    )
    try:
        assert pulled(shipway, name) == (True, False)
    finally:
        (config / "config.json").unlink()
    assert pulled(shipway, name) == (False, True)


def test_password_is_in_no_file_of_service_redis_store_or_workers(
    shipway: Shipway, fleet: Fleet, private: Private
) -> None:
    """Redis writes everything that it is ever told to its append-only file; logs and the store lie beside it."""
    log_in(shipway, private)
    shipway.ok("push", "base", "--worker", WORKER, "-t", private.name("secret"))
    shipway.ok("logout", private.registry.address)

    words = (private.password.encode(), base64.b64encode(f"ada:{private.password}".encode()))
    state = fleet.stack.plan.state
    telling = [path for path in state.rglob("*") if path.is_file() and any(w in path.read_bytes() for w in words)]

    assert list(state.rglob("*.aof"))
    assert telling == []


@pytest.mark.usefixtures("logged_in")
def test_certificate_that_nobody_vouches_for_is_told_as_such(shipway: Shipway, fleet: Fleet, private: Private) -> None:
    hidden = private.trusted.rename(private.trusted.with_name("ca.hidden"))
    try:
        with nothing_left(fleet.stack, private.daemon):
            done = shipway("push", "base", "--worker", WORKER, "-t", private.name("untrusted"))
    finally:
        hidden.rename(private.trusted)

    assert (done.returncode, "(registry-untrusted)" in done.stderr) == (1, True), done.stderr
