"""What docs/ci.md and the GitHub action say is valid, and the one line builds with no more than a job's identity."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from deploy.local.engine import REPOSITORY
from deploy.local.plain_http import PLAIN
from deploy.local.registry import Registry
from deploy.local.stack import Stack
from service.logic.oidc import LEEWAY
from shipway.client import AsyncClient, identity
from shipway.exceptions import ClientError
from shipway.models.job import JobState
from tests.integration.command import Shipway, write
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.support.issuer import Issuer

pytestmark = pytest.mark.engine_independent

AUDIENCE = "https://shipway.example.com"
PAGE = (REPOSITORY / "docs/ci.md").read_text()
GITHUB, GITLAB = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("github-workflows", GITHUB),
        ("gitlab-ci", GITLAB),
        ("github-actions", (REPOSITORY / "deploy/github-action/action.yml").read_text()),
    ],
    ids=["workflow", "gitlab", "action"],
)
def test_examples_keep_to_their_schema(schema: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "file.yml").write_text(text)
    checker = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", f"vendor.{schema}"]

    ran = subprocess.run([*checker, tmp_path / "file.yml"], capture_output=True, text=True, timeout=60, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_action_installs_the_command_and_names_the_service(tmp_path: Path) -> None:
    """What a runner does with the action: the same script, in a folder of its own."""
    (step,) = yaml.safe_load((REPOSITORY / "deploy/github-action/action.yml").read_text())["runs"]["steps"]
    files = {"GITHUB_PATH": tmp_path / "path", "GITHUB_ENV": tmp_path / "env"}
    here = {"RUNNER_TEMP": tmp_path, "GITHUB_ACTION_PATH": REPOSITORY / "deploy/github-action"}
    env = {**os.environ, **{name: str(path) for name, path in (files | here).items()}}
    given = {"URL": "https://shipway.example.com", "AUDIENCE": AUDIENCE}

    ran = subprocess.run(
        ["/bin/bash", "-e", "-o", "pipefail", "-c", step["run"]],
        env={**env, **given},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    command = Path(files["GITHUB_PATH"].read_text().strip()) / "shipway"
    told = subprocess.run([command, "build", "--help"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "--push" in told.stdout
    assert files["GITHUB_ENV"].read_text() == f"SHIPWAY_URL={given['URL']}\nSHIPWAY_AUDIENCE={AUDIENCE}\n"


@pytest.fixture
def issuer(stack: Stack, registry: Registry) -> Iterator[Issuer]:
    """An issuer with one job that may ask it for tokens, and a rule that trusts them for one repository."""
    rule = {
        "name": "ci",
        "project": "team",
        "scopes": ["read", "build", "push"],
        "push": [f"{registry.address}/team/**"],
        "audience": AUDIENCE,
        "claims": {"repository": "team/*", "ref": "refs/heads/main"},
    }
    with Issuer() as running, HttpApi(stack.service.url, stack.token) as api:
        running.job = ("asks", {"repository": "team/app", "ref": "refs/heads/main"})
        assert api.http.post("/v1/trust", json={**rule, "issuer": running.url}).status_code == 201
        yield running


@pytest.fixture
def in_job(stack: Stack, issuer: Issuer) -> dict[str, str]:
    """What the environment of such a job holds, after the action."""
    return {
        "SHIPWAY_URL": stack.service.url,
        "SHIPWAY_AUDIENCE": AUDIENCE,
        "SHIPWAY_TOKEN": "",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer.url}/job?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "asks",
        "GITHUB_SHA": "0123abc",
        "CI_COMMIT_SHA": "4567def",
    }


def _line(text: str, address: str) -> str:
    """The one line of an example, for the registry of this test."""
    (line,) = re.findall(r"shipway build .*", text)
    return str(line).replace("registry.example.com", address)


def _runs(line: str, shipway: Shipway) -> subprocess.CompletedProcess[str]:
    write(shipway.folder, {"Dockerfile": f"FROM base\nRUN echo {once()}\n".encode()})
    path = f"{Path(sys.executable).parent}:{shipway.env['PATH']}"
    return subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", line],
        cwd=shipway.folder,
        env={**shipway.env, "PATH": path},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_the_line_for_github_builds_and_pushes_by_the_job_s_identity(
    in_job: dict[str, str], registry: Registry, tmp_path: Path
) -> None:
    ran = _runs(_line(GITHUB, registry.address), Shipway("", "", tmp_path, in_job))

    assert ran.returncode == 0, ran.stderr
    told = httpx.get(f"{registry.url}/v2/team/app/tags/list", **PLAIN).json()
    assert "0123abc" in told["tags"]


def test_the_line_for_gitlab_does_so_with_the_token_in_its_variable(
    in_job: dict[str, str], issuer: Issuer, registry: Registry, tmp_path: Path
) -> None:
    claims = {"repository": "team/app", "ref": "refs/heads/main"}
    given = {**in_job, "SHIPWAY_AUDIENCE": "", "SHIPWAY_TOKEN": issuer.token(aud=AUDIENCE, **claims)}

    ran = _runs(_line(GITLAB, registry.address), Shipway("", "", tmp_path, given))

    assert ran.returncode == 0, ran.stderr
    assert issuer.given == 0


async def test_a_build_outlasts_the_token_that_it_was_begun_with(
    in_job: dict[str, str], issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub's are good for five minutes; these for two seconds, and the build takes longer."""
    issuer.lifetime = 2 - LEEWAY
    monkeypatch.setattr(identity, "FRESH", 1.0)
    monkeypatch.delenv("SHIPWAY_TOKEN", raising=False)
    for name, value in in_job.items():
        monkeypatch.setenv(name, value)

    write(tmp_path, script("FROM base", f"RUN sleep 3 # {once()}"))

    async with AsyncClient(in_job["SHIPWAY_URL"]) as client:
        job = await client.build(tmp_path)
        done = await client.wait(job.id, check=True)

    assert done.state is JobState.SUCCEEDED
    assert issuer.given > 1


async def test_a_job_that_may_not_ask_for_its_identity_is_told_so(
    in_job: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHIPWAY_TOKEN", raising=False)
    for name, value in {**in_job, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another"}.items():
        monkeypatch.setenv(name, value)

    async with AsyncClient(in_job["SHIPWAY_URL"]) as client:
        with pytest.raises(ClientError, match="id-token: write") as refused:
            await client.workers()

    assert refused.value.slug == "identity-refused"
