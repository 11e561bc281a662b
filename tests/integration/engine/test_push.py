"""A push ends with the digest that the registry confirms, or with whose fault it was."""

from __future__ import annotations

import json
import socket
import urllib.request

import pytest

from deploy.local.registry import Registry
from shipway.exceptions import BuildSystemError, BuildUserError, JobError
from shipway.models.credentials import RegistryLogin
from tests.integration.engine.driving import Recorder, build, once, script
from tests.support.registered import registered
from workers.engine import Engine


def tags(registry: Registry, repository: str) -> list[str]:
    """Ask the registry itself for a repository's tags."""
    with urllib.request.urlopen(f"{registry.url}/v2/{repository}/tags/list", timeout=5) as answer:
        return list(json.load(answer)["tags"])


async def named(engine: Engine, name: str) -> str:
    outcome = await build(engine, script("FROM base", f"RUN echo {once()} > /new"))
    await engine.images.tag(outcome.image_id, name)
    return name


async def failing(engine: Engine, name: str, login: RegistryLogin | None = None) -> JobError:
    with pytest.raises(JobError) as caught:
        await engine.push(name, login, Recorder())
    return caught.value


async def test_digest_is_the_registrys(engine: Engine, registry: Registry) -> None:
    name, sink = await named(engine, f"{registry.address}/team/app:1.0"), Recorder()

    digest = await engine.push(name, None, sink)

    assert digest == registered(registry, "team/app", "1.0")
    assert {report.action for report in sink.progress} & {"Pushed", "Pushing", "Layer already exists"}


async def test_only_the_named_tag_is_pushed(engine: Engine, registry: Registry) -> None:
    repository = f"app-{once()}"
    name = await named(engine, f"{registry.address}/{repository}:one")
    await engine.images.tag(name, f"{registry.address}/{repository}:two")

    await engine.push(name, None, Recorder())

    assert tags(registry, repository) == ["one"]


async def test_login_is_used(engine: Engine, locked_registry: Registry) -> None:
    name = await named(engine, f"{locked_registry.address}/app:1")

    digest = await engine.push(name, RegistryLogin(username="ada", password="byron"), Recorder())

    assert digest.startswith("sha256:")


@pytest.mark.parametrize("login", [None, RegistryLogin(username="ada", password="wrong")])
async def test_refused_push_is_the_users_fault(
    engine: Engine, locked_registry: Registry, login: RegistryLogin | None
) -> None:
    error = await failing(engine, await named(engine, f"{locked_registry.address}/app:1"), login)

    assert isinstance(error, BuildUserError)
    assert error.slug == "registry-denied"


async def test_registry_that_is_down_is_the_systems_fault(engine: Engine) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        name = await named(engine, f"127.0.0.1:{held.getsockname()[1]}/app:1")

        error = await failing(engine, name)

    assert isinstance(error, BuildSystemError)
    assert error.slug == "registry-unreachable"


async def test_name_that_no_image_has(engine: Engine, registry: Registry) -> None:
    error = await failing(engine, f"{registry.address}/never-built:1")

    assert error.slug == "image-missing"


async def test_name_that_would_walk_the_daemons_paths_never_reaches_it(engine: Engine) -> None:
    error = await failing(engine, "x/../../containers/json")

    assert isinstance(error, BuildUserError)
    assert error.slug == "invalid-reference"
