"""What takes a daemon that keeps images in containerd's store: attestations, and a cache in a registry."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import httpx
import pytest

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from deploy.local.engine import ENGINE_28, engine
from deploy.local.plain_http import PLAIN
from deploy.local.registry import Registry
from deploy.local.stack import Plan, Stack
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi, refusal

ANY = {"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}
STATEMENT = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document"}
SCANNER = f"""#!/bin/sh
[ -e "$BUILDKIT_SCAN_SOURCE/marker" ] || exit 1
echo '{json.dumps({**STATEMENT, "predicate": {"name": "seen"}})}' > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"
"""
"""A scanner as BuildKit runs them: it finds the image's files in one folder and leaves its statement in another."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    if os.environ.get("SHIPWAY_TEST_ENGINE") != ENGINE_28.name:
        pytest.skip("the installed engine has no containerd image store")
    store = ("--feature", "containerd-snapshotter=true")
    with Dockerd(tmp_path_factory.mktemp("modern-daemon"), engine=engine("28"), extra=store) as started:
        base_image.make(started.api)
        yield started


@pytest.fixture(scope="module")
def modern(daemon: Dockerd, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpApi]:
    """A stack on such a daemon."""
    with (
        Stack(Plan(tmp_path_factory.mktemp("modern")), registry=registry, dockerd=daemon) as stack,
        HttpApi(stack.service.url, stack.token) as api,
    ):
        yield api


def blob(registry: Registry, name: str, digest: str) -> dict[str, object]:
    answer = httpx.get(f"{registry.url}/v2/{name}/blobs/{digest}", **PLAIN)
    return dict(answer.raise_for_status().json())


def test_pushed_image_carries_its_provenance_and_its_contents(modern: HttpApi, registry: Registry) -> None:
    scanner, name = f"{registry.address}/scanner/{once()}:1", f"attested/{once()}"
    files = {
        **script("FROM base", "COPY --chmod=755 scan /scan", 'ENTRYPOINT ["/scan"]'),
        "scan": SCANNER.encode(),
    }
    modern.succeed(files, tags=[scanner], push=True)

    job = modern.succeed(
        script("FROM base", "RUN touch /marker"),
        tags=[f"{registry.address}/{name}:1"],
        push=True,
        provenance="max",
        sbom=scanner,
    )

    manifests = f"{registry.url}/v2/{name}/manifests"
    index = httpx.get(f"{manifests}/1", headers=ANY, **PLAIN)
    attested = next(one for one in index.json()["manifests"] if one["platform"]["os"] == "unknown")
    manifest = httpx.get(f"{manifests}/{attested['digest']}", headers=ANY, **PLAIN).json()
    statements = {
        layer["annotations"]["in-toto.io/predicate-type"]: blob(registry, name, layer["digest"])
        for layer in manifest["layers"]
    }
    assert index.headers["docker-content-digest"] == job.result.pushed[0].digest
    assert statements["https://spdx.dev/Document"]["predicate"] == {"name": "seen"}
    [provenance] = [one for kind, one in statements.items() if "provenance" in kind]
    assert "touch /marker" in json.dumps(provenance)


def test_daemon_that_can_not_attest_says_so(api: HttpApi) -> None:
    job = api.build(script("FROM base", f"RUN echo {once()}"), provenance="min")

    assert job.error is not None
    assert (job.error.slug, job.error.retryable) == ("attestations-unsupported", False)
    assert job.steps == ()


def test_steps_of_every_stage_are_kept_in_a_registry(modern: HttpApi, daemon: Dockerd, registry: Registry) -> None:
    cache = f"{registry.address}/cache/{once()}:1"
    lines = (
        "FROM base AS first",
        f"RUN echo {once()} > /kept",
        "FROM base",
        "COPY --from=first /kept /kept",
        "RUN cat /kept > /seen",
        "RUN cat /kept > /again",
    )
    built = modern.succeed(script(*lines), cache_to=cache, cache_mode="max")

    daemon.docker("image", "rm", "--force", built.result.image_id or "")
    daemon.docker("builder", "prune", "--all", "--force")
    again = modern.succeed(script(*lines), cache_from=[cache], labels={"another": "image"})

    assert (built.cache_hit_ratio, again.cache_hit_ratio) == (0, 1)
    assert again.result.answered_from is None


def test_daemon_that_can_not_keep_steps_in_a_registry_says_so(api: HttpApi) -> None:
    job = api.build(script("FROM base", f"RUN echo {once()}"), cache_to="127.0.0.1:1/cache:1")

    assert job.error is not None
    assert (job.error.slug, job.steps) == ("cache-export-unsupported", ())


def test_classic_builder_attests_nothing_and_keeps_no_steps(api: HttpApi) -> None:
    assert refusal(api.ask(script("FROM base"), builder="classic", sbom="scanner:1"))[1] == "attestations-unsupported"
    assert refusal(api.ask(script("FROM base"), builder="classic", cache_to="c:1"))[1] == "cache-export-unsupported"
