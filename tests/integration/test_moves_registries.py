"""`shipway push` and `pull`: images to registries and onto workers, also when a registry is not at its best."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from deploy.local.ports import free_port
from deploy.local.registry import Registry
from tests.integration.command import Shipway, write
from tests.integration.contexts import once
from tests.integration.fleet import Fleet, image_id
from tests.integration.leftovers import nothing_left, tags
from tests.support.faulty_registry import FaultyRegistry

MANIFEST = r"PUT .*/manifests/"


@pytest.fixture(scope="module")
def proxy(fleet: Fleet) -> Iterator[FaultyRegistry]:
    with FaultyRegistry(fleet.registry.port) as running:
        yield running


@pytest.fixture
def faulty(proxy: FaultyRegistry) -> Iterator[FaultyRegistry]:
    """The registry, through a proxy without a fault yet."""
    yield proxy
    proxy.heal()


@pytest.fixture
def image(shipway: Shipway) -> str:
    """An image with a layer of its own that worker `one` has."""
    name = f"pushed-{once()[:8]}:1"
    shipway.ok("commit", "base", "--worker", "one", "--run", f"echo {once()} > /word", "-t", name, "-q")
    return name


def log_in(shipway: Shipway, registry: Registry, password: str) -> None:
    """Write a login as `docker login` does."""
    auth = base64.b64encode(f"ada:{password}".encode()).decode()
    config = json.dumps({"auths": {registry.address: {"auth": auth}}}).encode()
    write(shipway.folder / ".docker", {"config.json": config})


def test_push_and_pull_onto_all_workers(shipway: Shipway, fleet: Fleet, image: str) -> None:
    name = f"{fleet.registry.address}/spread/{once()[:8]}:1"
    shipway.ok("tag", image, name)

    digest = shipway.ok("push", name).split()[1]
    fleet.one.docker("rmi", name)
    pulled = shipway("pull", name, "--workers", "all")

    assert pulled.returncode == 0, pulled.stderr
    assert sorted(pulled.stdout.splitlines()) == [f"{worker}: {name} {digest}" for worker in ("one", "two")]
    assert {line.partition(" | ")[0] for line in pulled.stderr.splitlines()} == {"one", "two"}
    assert image_id(fleet.two, name) == image_id(fleet.one, image)


def test_push_by_several_names_has_a_result_for_each(
    shipway: Shipway, fleet: Fleet, image: str, locked_registry: Registry
) -> None:
    """Two registries in one job; the one that refuses does not keep the other from its image."""
    good, bad = f"{fleet.registry.address}/some/{once()[:8]}:1", f"{locked_registry.address}/some/{once()[:8]}:1"

    done = shipway("push", image, "-t", bad, "-t", good)

    assert done.returncode == 1
    assert f"pushed {good} sha256:" in done.stderr
    assert f"not pushed {bad}: " in done.stderr
    assert "(registry-denied)" in done.stderr
    assert fleet.two.docker("pull", good).returncode == 0


def test_login_of_docker_is_used_and_told_to_nobody(
    shipway: Shipway, fleet: Fleet, image: str, locked_registry: Registry
) -> None:
    name = f"{locked_registry.address}/private/{once()[:8]}:1"
    log_in(shipway, locked_registry, "byron")

    job_id = shipway.ok("push", image, "-t", name, "--detach").strip()
    shipway.ok("logs", "-f", job_id)
    pulled = shipway("pull", name, "--workers", "two")

    assert pulled.returncode == 0, pulled.stderr
    assert "byron" not in shipway.ok("show", job_id, "--json")


def test_wrong_password_is_denied_at_once(
    shipway: Shipway, fleet: Fleet, image: str, locked_registry: Registry
) -> None:
    name = f"{locked_registry.address}/private/wrong:1"
    log_in(shipway, locked_registry, "shelley")

    with nothing_left(fleet.stack, fleet.two):
        for command in (("push", image, "-t", name), ("pull", name, "--workers", "two")):
            done = shipway(*command)
            assert (done.returncode, "(registry-denied)" in done.stderr) == (1, True), done.stderr


def test_worker_pulls_a_base_image_behind_a_login_for_a_commit(
    shipway: Shipway, image: str, locked_registry: Registry
) -> None:
    name = f"{locked_registry.address}/private/{once()[:8]}:1"
    log_in(shipway, locked_registry, "byron")
    shipway.ok("push", image, "-t", name)

    made = shipway.ok("commit", name, "--worker", "two", "--run", "cat /word", "-q")

    assert made.startswith("sha256:")


UNKNOWN = {
    "pull of what no registry has": (["pull", "{registry}/no/such:1"], "image-unknown"),
    "pull of a tag that isn't there": (["pull", "{registry}/no/such:2", "--workers", "two"], "image-unknown"),
    "push of what no worker has": (["push", "never-there:1"], "image-unknown"),
    "push from a worker that hasn't got it": (["push", "never-there:1", "--worker", "two"], "image-missing"),
    "pull onto nobody": (["pull", "base", "--workers", "one,nobody"], "worker-unknown"),
    "name that is none": (["pull", "../x"], "invalid-image-name"),
    "several tags at once": (["push", "base", "--worker", "one", "-t", "a b"], "invalid-image-name"),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_is_not_there_is_told_at_once(shipway: Shipway, fleet: Fleet, what: str) -> None:
    arguments, slug = UNKNOWN[what]

    with nothing_left(fleet.stack, fleet.one, fleet.two):
        done = shipway(*(word.format(registry=fleet.registry.address) for word in arguments))

    assert (done.returncode, f"({slug})" in done.stderr) == (1, True), done.stderr


def test_pull_from_a_registry_that_nobody_runs_is_tried_again_and_told(shipway: Shipway, fleet: Fleet) -> None:
    with nothing_left(fleet.stack, fleet.one, fleet.two):
        done = shipway("pull", f"127.0.0.1:{free_port()}/no/such:1", "--workers", "two")

    assert (done.returncode, "(registry-unreachable)" in done.stderr, "attempt 3" in done.stderr) == (1, True, True)


def test_one_worker_that_fails_does_not_hide_the_other(
    shipway: Shipway, fleet: Fleet, image: str, faulty: FaultyRegistry
) -> None:
    """The two are told apart, and the command fails."""
    name = f"{faulty.address}/half/{once()[:8]}:1"
    shipway.ok("push", image, "-t", name)
    shipway.ok("rmi", name, "--worker", "one")
    faulty.fault(r"GET .*/blobs/", 403)

    done = shipway("pull", name, "--workers", "all")

    assert done.returncode == 1
    assert done.stdout.startswith(f"one: {name} sha256:")  # it has the layers already
    assert "two: error: " in done.stderr
    assert name not in tags(fleet.two)


@pytest.mark.parametrize(
    ("status", "slug"), [(401, "registry-denied"), (403, "registry-denied"), (404, "repository-unknown")]
)
def test_push_that_a_registry_refuses_is_not_tried_again(
    shipway: Shipway, image: str, faulty: FaultyRegistry, status: int, slug: str
) -> None:
    fault = faulty.fault(MANIFEST, status)

    done = shipway("push", image, "-t", f"{faulty.address}/refused/{once()[:8]}:1")

    assert (done.returncode, f"({slug})" in done.stderr) == (1, True), done.stderr
    assert "again" not in done.stderr
    assert fault.seen <= 2  # one more for a login that might help


@pytest.mark.parametrize(("status", "headers"), [(429, {"Retry-After": "1"}), (500, {}), (503, {})])
def test_push_rides_out_a_registry_that_fails_for_a_while(
    shipway: Shipway, image: str, faulty: FaultyRegistry, status: int, headers: dict[str, str]
) -> None:
    fault = faulty.fault(MANIFEST, status, times=2, headers=headers)

    done = shipway("push", image, "-t", f"{faulty.address}/patient/{once()[:8]}:1")

    assert done.returncode == 0, done.stderr
    assert f"the proxy says {status}" in done.stderr or str(status) in done.stderr
    assert "again, try 2" in done.stderr
    assert fault.seen == 2


def test_push_that_was_cut_off_sends_only_what_is_missing(
    shipway: Shipway, fleet: Fleet, faulty: FaultyRegistry
) -> None:
    """The layer on its way when the connection breaks is sent again; those that are there are not."""
    name, image = f"{faulty.address}/cut/{once()[:8]}:1", f"big-{once()[:8]}:1"
    noise = "head -c 400000 /dev/urandom > /noise"
    shipway.ok("commit", "base", "--worker", "one", "--run", noise, "-t", image, "-q")
    shipway.ok("push", "base", "--worker", "one", "-t", f"{faulty.address}/cut/{name[-10:-2]}:0")
    faulty.uploaded.clear()
    fault = faulty.fault(r"(PATCH|PUT) .*/blobs/uploads/", 0, times=1)

    done = shipway("push", image, "-t", name)

    assert done.returncode == 0, done.stderr
    assert fault.seen == 1
    sent = sum(faulty.uploaded.values())
    assert 400_000 < sent < 600_000  # the new layer once; the base alone has a megabyte
    assert fleet.two.docker("pull", name).returncode == 0


def test_pull_that_is_cut_off_in_mid_layer_goes_on(shipway: Shipway, fleet: Fleet, faulty: FaultyRegistry) -> None:
    name = f"{faulty.address}/cut/{once()[:8]}:1"
    shipway.ok("commit", "base", "--worker", "one", "--run", "head -c 400000 /dev/urandom > /n", "-t", name, "--push")
    fault = faulty.fault(r"GET .*/blobs/", 0, times=2)

    done = shipway("pull", name, "--workers", "two")

    assert done.returncode == 0, done.stderr
    assert fault.seen == 2
    assert image_id(fleet.two, name) == image_id(fleet.one, name)


@pytest.mark.parametrize(
    ("status", "slug"),
    [
        (401, "registry-denied"),
        (403, "registry-denied"),
        (404, "image-unknown"),
        (429, "registry-error"),
        (500, "registry-error"),
    ],
)
def test_pull_that_a_registry_never_serves_is_told_and_leaves_nothing(
    shipway: Shipway, fleet: Fleet, faulty: FaultyRegistry, status: int, slug: str
) -> None:
    fault = faulty.fault(r"(GET|HEAD) .*/manifests/", status, headers={"Retry-After": "1"})

    with nothing_left(fleet.stack, fleet.two):
        done = shipway("pull", f"{faulty.address}/never/served:1", "--workers", "two")

    assert (done.returncode, f"({slug})" in done.stderr) == (1, True), done.stderr
    assert fault.seen >= 1
