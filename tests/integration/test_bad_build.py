"""Builds that can't go well end in `failed` with a slug that says why, at once, and leave nothing behind."""

from __future__ import annotations

import tarfile
from typing import Any

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.ports import free_port
from deploy.local.registry import Registry
from deploy.local.waiting import wait_until
from shipway.models.job import JobState
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.integration.leftovers import containers, processes_with, tags
from tests.unit.context.archives import END, member

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])
BAD: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "failing RUN": (["FROM base", "RUN exit 3 # WORD"], {}, "step-failed"),
    "unknown command": (["FROM base", "RUN no-such-command # WORD"], {}, "step-failed"),
    "unknown instruction": (["FROM base", "ROUND trip"], {}, "dockerfile-syntax"),
    "no FROM": (["RUN true"], {}, "dockerfile-syntax"),
    "empty Dockerfile": ([""], {}, "dockerfile-syntax"),
    "COPY without arguments": (["FROM base", "COPY a"], {}, "dockerfile-syntax"),
    "COPY of what isn't there": (["FROM base", "COPY nothing /"], {}, "copy-source-missing"),
    "COPY from above the context": (["FROM base", "COPY ../../etc/passwd /"], {}, "copy-source-missing"),
    "unknown target": (["FROM base AS a"], {"target": "b"}, "target-unknown"),
    "other Dockerfile": (["FROM base"], {"dockerfile": "other"}, "dockerfile-missing"),
}


@BUILDERS
@pytest.mark.parametrize("what", BAD)
def test_build_fails_once_with_its_slug_and_leaves_nothing(
    api: HttpApi, dockerd: Dockerd, what: str, builder: str
) -> None:
    lines, options, slug = BAD[what]
    word = once()
    text = "\n".join(lines).replace("WORD", word)

    job = api.build({"Dockerfile": f"{text}\n".encode()}, builder=builder, tags=[f"bad-{word}"], **options)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert (job.error.slug, job.error.retryable, job.attempt) == (slug, False, 1)
    assert job.error.message
    assert "Traceback" not in job.error.message
    assert job.result.image_id is None
    assert wait_until(lambda: containers(dockerd) == [], 5)
    assert processes_with(word) == []
    assert f"bad-{word}:latest" not in tags(dockerd)


@BUILDERS
def test_unknown_base_image_is_told_as_such(api: HttpApi, registry: Registry, builder: str) -> None:
    job = api.build(script(f"FROM {registry.address}/no/such:1"), builder=builder)

    assert job.error is not None
    assert (job.error.slug, job.error.retryable, job.attempt) == ("base-image-unknown", False, 1)


@BUILDERS
def test_base_image_behind_a_login_is_denied_without_one(api: HttpApi, locked_registry: Registry, builder: str) -> None:
    job = api.build(script(f"FROM {locked_registry.address}/any:1"), builder=builder)

    assert job.error is not None
    assert (job.error.slug, job.error.retryable, job.attempt) == ("registry-denied", False, 1)


@BUILDERS
def test_base_image_behind_a_login_is_pulled_with_it(
    api: HttpApi, dockerd: Dockerd, locked_registry: Registry, builder: str
) -> None:
    word, login = once(), {locked_registry.address: {"username": "ada", "password": "byron"}}
    base = f"{locked_registry.address}/base-{word}:1"
    api.succeed(script("FROM base", f"LABEL word={word}"), tags=[base], push=True, registries=login)
    assert dockerd.docker("rmi", base).returncode == 0

    job = api.succeed(script(f"FROM {base}", f"RUN echo {word}"), builder=builder, registries=login)

    assert [digest for name, digest in job.result.bases.items() if word in name]


@BUILDERS
def test_dockerfile_that_links_out_of_the_context_reads_nothing_of_the_host(api: HttpApi, builder: str) -> None:
    archive = member("Dockerfile", kind=tarfile.SYMTYPE, link="../../../../etc/passwd") + END

    job = api.build(archive, builder=builder)

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert not job.error.retryable
    told = api.http.get(f"/v1/jobs/{job.id}").text + api.log(job.id)
    assert "root:" not in told


def test_malformed_ignore_file_is_told_as_such(api: HttpApi) -> None:
    for builder in ("buildkit", "classic"):
        job = api.build({**script("FROM base", "COPY . /"), ".dockerignore": b"[\n"}, builder=builder)

        assert job.error is not None
        assert (job.error.retryable, job.attempt) == (False, 1)
        assert "[" in job.error.message


def test_missing_secret_is_told_as_such(api: HttpApi) -> None:
    job = api.build(script("FROM base", f"RUN --mount=type=secret,id=a,required cat /run/secrets/a # {once()}"))

    assert job.error is not None
    assert (job.error.slug, job.attempt) == ("secret-missing", 1)


def test_build_args_that_pass_the_daemons_limit_are_the_users_fault(api: HttpApi) -> None:
    arguments = {f"A{n}": "x" * 60_000 for n in range(40)}

    job = api.build(script("FROM base", f"RUN echo {once()}"), build_args=arguments, builder="classic")

    assert job.error is not None
    assert (job.error.slug, job.error.retryable, job.attempt) == ("build-options-too-large", False, 1)


def test_registry_that_nobody_runs_is_tried_again_and_then_told(api: HttpApi) -> None:
    tag = f"127.0.0.1:{free_port()}/no/such:1"

    job = api.submit(script("FROM base", f"LABEL word={once()}"), tags=[tag], push=True)
    warned = next(s.event.body for s in api.follow(job.id) if s.name == "warning")
    api.cancel(job.id)

    assert "try 2" in warned.model_dump()["message"]
    assert api.wait(job.id).state is JobState.CANCELLED
