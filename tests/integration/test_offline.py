"""What must work with nothing running: the API's description, and the client alone in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.engine import REPOSITORY
from service.main import create_app
from shipway.settings import Settings

pytestmark = pytest.mark.engine_independent

UV = Path(sys.executable).with_name("uv")
SERVERS = ("redis", "celery", "kombu", "fastapi", "starlette", "obstore", "aiodocker", "grpclib", "prometheus_client")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The OpenAPI description, made with the addresses of nothing."""
    settings = Settings(redis_url="redis://127.0.0.1:1/0", store_url="s3://no-such-bucket/x")
    return create_app(settings).openapi()


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_says_what_it_does_and_how_it_fails(schema: dict[str, Any]) -> None:
    error = {"$ref": "#/components/schemas/ErrorAnswer"}
    found = dict(operations(schema))

    assert {"POST /v1/builds", "POST /v1/contexts", "GET /v1/jobs/{id}/events", "GET /metrics"} <= set(found)
    for name, operation in found.items():
        assert operation["summary"], name
        failures = {code: answer for code, answer in operation["responses"].items() if int(code) >= 400}
        assert failures or name == "GET /healthz", name
        for code, answer in failures.items():
            assert answer["content"]["application/json"]["schema"] == error, (name, code)
            assert answer["description"], (name, code)


def test_every_reference_in_the_description_leads_somewhere(schema: dict[str, Any]) -> None:
    text = json.dumps(schema)
    names = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}

    assert '"#/$defs/' not in text
    assert names <= set(schema["components"]["schemas"])


def test_every_field_of_a_build_is_in_the_description(schema: dict[str, Any]) -> None:
    body = schema["paths"]["/v1/builds"]["post"]["requestBody"]["content"]
    fields = schema["components"]["schemas"]["BuildRequest"]["properties"]

    assert {"application/json", "application/x-tar"} == set(body)
    assert {"context", "tags", "push", "build_args", "secrets", "registries", "builder", "timeout"} <= set(fields)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `pip install` gets it, made of a copy of the tracked tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, source / name)
    for name in ("shipway", "service", "workers"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    # What builds it is in the lock, so nothing is fetched.
    build = (UV, "build", "--quiet", "--no-build-isolation", "--python", sys.executable)
    subprocess.run((*build, "--wheel", "-o", folder, source), check=True)
    return next(folder.glob("*.whl"))


def test_wheel_holds_the_client_package_and_nothing_of_the_servers(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()

    assert {name.split("/")[0].split("-")[0] for name in names} == {"shipway"}
    assert "shipway/client/__init__.py" in names
    assert "shipway/storage/scripts/claim.lua" in names
    assert any(name.endswith("entry_points.txt") for name in names)


def test_client_works_with_its_own_requirements_alone(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "env"], check=True)
    python = tmp_path / "env/bin/python"
    env = {**os.environ, "UV_SYSTEM_CERTS": "1"}
    subprocess.run([UV, "pip", "install", "--quiet", "--python", python, wheel], env=env, check=True)
    asked = (
        "import sys, json; from shipway.client import AsyncClient, Client; import shipway.cli;"
        "from shipway.models import job, request; import shipway.context.walk, shipway.context.pack;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )

    ran = subprocess.run([python, "-I", "-c", asked], capture_output=True, text=True, check=False, cwd=tmp_path)
    helped = subprocess.run(
        [tmp_path / "env/bin/shipway", "--help"], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert ran.returncode == 0, ran.stderr
    assert not set(SERVERS) & set(json.loads(ran.stdout))
    installed = {path.name for path in (tmp_path / "env").glob("lib/python*/site-packages/*")}
    assert not set(SERVERS) & installed
    assert helped.returncode == 0, helped.stderr
    assert "build" in helped.stdout
