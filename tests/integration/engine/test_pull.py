"""A pull ends with the image and its digest, or with whose fault it was; cancelled, it stops."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.ports import free_port
from deploy.local.registry import Registry
from shipway.exceptions import BuildSystemError, BuildUserError, JobError
from shipway.models.credentials import RegistryLogin
from tests.integration.engine.archiving import pieces, tar
from tests.integration.engine.driving import Recorder, once
from tests.integration.engine.test_cancel import until
from tests.support.faulty_registry import FaultyRegistry
from tests.support.tcp_proxy import TcpProxy
from workers.engine import Engine

ADA = RegistryLogin(username="ada", password="byron")


async def pushed(engine: Engine, registry: Registry, login: RegistryLogin | None = None) -> tuple[str, str, str]:
    """Put a new image into a registry and take it off the daemon; return repository with tag, id and digest."""
    path = f"pulled-{once()}:1"
    name = f"{registry.address}/{path}"
    made = await engine.images.import_tar(pieces(tar({"big": os.urandom(400_000)})), reference=name, sink=Recorder())
    digest = await engine.push(name, login, Recorder())
    await engine.images.remove(name)
    return path, made, digest


def layers(dockerd: Dockerd) -> list[Path]:
    """Layers that the daemon is fetching."""
    return list((dockerd.data_root / "tmp").glob("GetImageBlob*"))


@pytest.fixture
def faulty(registry: Registry) -> Iterator[FaultyRegistry]:
    """A way to the registry that fails as it is told."""
    with FaultyRegistry(registry.port) as proxy:
        yield proxy


async def test_pulled_image_has_the_id_and_the_digest_it_was_pushed_with(engine: Engine, registry: Registry) -> None:
    path, made, digest = await pushed(engine, registry)
    sink = Recorder()

    pulled = await engine.images.pull(f"{registry.address}/{path}", None, None, sink)

    assert (pulled.id, pulled.digest) == (made, digest)
    assert (await engine.images.inspect(f"{registry.address}/{path}")).digests[0].endswith(digest)
    assert "Pull complete" in {report.action for report in sink.progress}
    assert any(report.total and report.current for report in sink.progress)


async def test_pull_by_digest(engine: Engine, registry: Registry) -> None:
    path, made, digest = await pushed(engine, registry)
    name = f"{registry.address}/{path.partition(':')[0]}@{digest}"

    pulled = await engine.images.pull(name, None, None, Recorder())

    assert (pulled.id, pulled.digest) == (made, digest)


async def test_pull_behind_a_login(engine: Engine, locked_registry: Registry) -> None:
    path, made, _ = await pushed(engine, locked_registry, ADA)
    name = f"{locked_registry.address}/{path}"

    for login in (None, RegistryLogin(username="ada", password="wrong")):
        with pytest.raises(BuildUserError) as caught:
            await engine.images.pull(name, login, None, Recorder())
        assert caught.value.slug == "registry-denied"

    assert (await engine.images.pull(name, ADA, None, Recorder())).id == made


async def test_unknown_image_and_unknown_tag(engine: Engine, registry: Registry) -> None:
    path, _, _ = await pushed(engine, registry)

    for name in ("no-such-thing:1", path.replace(":1", ":2")):
        with pytest.raises(BuildUserError) as caught:
            await engine.images.pull(f"{registry.address}/{name}", None, None, Recorder())
        assert caught.value.slug == "image-unknown"
        assert name in caught.value.message


async def test_registry_that_is_not_there(engine: Engine) -> None:
    with pytest.raises(BuildSystemError) as caught:
        await engine.images.pull(f"127.0.0.1:{free_port()}/x:1", None, None, Recorder())

    assert caught.value.slug == "registry-unreachable"


async def test_image_for_another_platform_is_told(engine: Engine, registry: Registry) -> None:
    path, _, _ = await pushed(engine, registry)
    sink = Recorder()

    await engine.images.pull(f"{registry.address}/{path}", None, "linux/arm64", sink)

    assert [w.message for w in sink.warnings if "linux/amd64" in w.message]


@pytest.mark.parametrize(
    ("status", "kind", "slug"),
    [
        (401, BuildUserError, "registry-denied"),
        (403, BuildUserError, "registry-denied"),
        (404, BuildUserError, "image-unknown"),
        (429, BuildSystemError, "registry-error"),
        (500, BuildSystemError, "registry-error"),
        (503, BuildSystemError, "registry-error"),
    ],
)
async def test_answers_of_a_registry_that_refuses(
    engine: Engine, faulty: FaultyRegistry, status: int, kind: type[JobError], slug: str
) -> None:
    faulty.fault("(GET|HEAD) .*/manifests/", status, headers={"Retry-After": "7"} if status == 429 else None)

    with pytest.raises(JobError) as caught:
        await engine.images.pull(f"{faulty.address}/x:1", None, None, Recorder())

    assert (type(caught.value), caught.value.slug) == (kind, slug)


async def test_layer_that_is_cut_short_once_still_arrives(
    engine: Engine, registry: Registry, faulty: FaultyRegistry
) -> None:
    path, made, _ = await pushed(engine, registry)
    cut, sink = faulty.fault("GET .*/blobs/", 0, times=1), Recorder()

    pulled = await engine.images.pull(f"{faulty.address}/{path}", None, None, sink)

    assert pulled.id == made
    assert cut.seen == 1


async def test_cancelled_pull_stops_in_the_daemon(engine: Engine, dockerd: Dockerd, registry: Registry) -> None:
    path, made, _ = await pushed(engine, registry)
    with TcpProxy(registry.port) as link:
        link.slow(50_000)
        task = asyncio.create_task(engine.images.pull(f"{link.address}/{path}", None, None, Recorder()))
        assert await until(lambda: layers(dockerd))

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await until(lambda: not layers(dockerd), 2)
    assert not await engine.images.exists(made)
