"""Secrets and logins reach those they are for, and nobody else."""

from __future__ import annotations

import base64
import hashlib

import pytest

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from deploy.local.registry import Registry
from shipway.exceptions import BuildUserError
from shipway.models.credentials import Credentials, RegistryLogin
from tests.integration.engine.driving import Recorder, build, once, script
from workers.engine import Engine

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])
LOGIN = RegistryLogin(username="ada", password="byron")


async def test_secret_is_mounted_byte_for_byte_and_left_out_of_the_image(engine: Engine, dockerd: Dockerd) -> None:
    value = bytes(range(256)) + b"\n\n"
    line = "RUN --mount=type=secret,id=key sha256sum < /run/secrets/key"
    sink = Recorder()

    outcome = await build(
        engine,
        script("FROM base", f"{line} # {once()}"),
        sink=sink,
        secrets=("key",),
        credentials=Credentials(secrets={"key": base64.b64encode(value).decode()}),
    )

    assert hashlib.sha256(value).hexdigest() in sink.log
    left = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "ls", "-A", "/run/secrets")
    assert left.stdout == ""


async def test_secret_value_appears_in_no_event(engine: Engine) -> None:
    sink, value = Recorder(), once()

    await build(
        engine,
        script("FROM base", f"RUN --mount=type=secret,id=key test -s /run/secrets/key # {once()}"),
        sink=sink,
        credentials=Credentials(secrets={"key": base64.b64encode(value.encode()).decode()}),
    )

    assert value not in str(sink.events)


async def test_optional_secret_may_be_missing(engine: Engine) -> None:
    outcome = await build(
        engine, script("FROM base", f"RUN --mount=type=secret,id=key test ! -e /run/secrets/key # {once()}")
    )

    assert outcome.image_id.startswith("sha256:")


@pytest.fixture
async def private_base(engine: Engine, dockerd: Dockerd, locked_registry: Registry) -> str:
    """The name of an image that only the locked registry has."""
    name = f"{locked_registry.address}/private:{once()}"
    repository, _, tag = name.rpartition(":")
    base_image.make(dockerd.api, repository, tag)
    await engine.push(name, LOGIN, Recorder())
    await engine.images.remove(name)
    return name


@BUILDERS
async def test_login_opens_a_private_base_image(
    engine: Engine, private_base: str, locked_registry: Registry, builder: str
) -> None:
    outcome = await build(
        engine,
        script(f"FROM {private_base}", f"RUN echo {once()}"),
        builder=builder,
        credentials=Credentials(registries={locked_registry.address: LOGIN}),
    )

    assert outcome.image_id.startswith("sha256:")


@BUILDERS
async def test_digest_of_a_base_image_from_a_registry_is_recorded(
    engine: Engine, dockerd: Dockerd, registry: Registry, builder: str
) -> None:
    name = f"{registry.address}/public:{once()}"
    repository, _, tag = name.rpartition(":")
    base_image.make(dockerd.api, repository, tag)
    digest = await engine.push(name, None, Recorder())
    await engine.images.remove(name)

    outcome = await build(engine, script(f"FROM {name}", f"RUN echo {once()}"), builder=builder)

    assert outcome.bases == {name: digest}


@BUILDERS
@pytest.mark.parametrize("login", [None, RegistryLogin(username="ada", password="wrong")])
async def test_private_base_image_stays_closed_without_the_right_login(
    engine: Engine, private_base: str, locked_registry: Registry, builder: str, login: RegistryLogin | None
) -> None:
    logins = {locked_registry.address: login} if login else {}

    with pytest.raises(BuildUserError) as caught:
        await build(engine, script(f"FROM {private_base}"), builder=builder, credentials=Credentials(registries=logins))

    assert caught.value.slug in {"registry-denied", "base-image-unknown"}, caught.value.message
