"""The program that signs what is pushed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.registry import Registry
from deploy.local.stack import Stack
from shipway.models.job import Job, JobState
from tests.integration.contexts import once, script
from tests.integration.extra_worker import extra_worker
from tests.integration.http_api import HttpApi

pytestmark = pytest.mark.engine_independent

Signed = Callable[[str], Job]


@pytest.fixture(scope="module")
def signer(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A program that a worker of the stack, `signing`, has sign; each test writes it."""
    program = tmp_path_factory.mktemp("signer") / "sign"
    settings = {
        "SHIPWAY_WORKER_SIGNER": str(program),
        "SHIPWAY_WORKER_SIGNER_TIMEOUT": "5",
        "SHIPWAY_MAX_ATTEMPTS": "1",
    }
    with extra_worker(stack, "signing", settings=settings):
        yield program


@pytest.fixture
def signed(api: HttpApi, registry: Registry, signer: Path) -> Signed:
    """Push a build after the signer has become a script of these lines."""

    def push(lines: str) -> Job:
        signer.write_text(f"#!/bin/sh\n{lines}\n")
        signer.chmod(0o755)
        return api.build(
            script("FROM base", f"RUN --mount=type=secret,id=key echo {once()}"),
            tags=[f"{registry.address}/signed/{once()}:1"],
            push=True,
            worker="signing",
            secrets={"key": base64.b64encode(b"canary-of-signing").decode()},
        )

    return push


def test_what_was_pushed_is_signed_by_its_digest(api: HttpApi, signed: Signed) -> None:
    job = signed('echo "arguments: $# $1"; env | grep -c SHIPWAY; echo canary-of-signing')
    log = api.log(job.id)

    [pushed] = job.result.pushed
    assert job.state is JobState.SUCCEEDED, job.error
    assert f"arguments: 1 {pushed.reference.removesuffix(':1')}@{pushed.digest}\n0\n***\n" in log
    assert "canary" not in log


@pytest.mark.parametrize(
    ("lines", "why"), [("echo no key; exit 3", "exit code 3: no key"), ("sleep 60", "more than 5 s")]
)
def test_job_whose_image_can_not_be_signed_fails(signed: Signed, lines: str, why: str) -> None:
    job = signed(lines)

    assert job.error is not None
    assert job.error.slug == "signing-failed"
    assert why in job.error.message
