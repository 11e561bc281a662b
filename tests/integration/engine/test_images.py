"""What the daemon has, told as docker tells it; names given and taken."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from deploy.local.dockerd import Dockerd
from shipway.exceptions import BuildUserError
from tests.integration.engine.archiving import pieces, tar
from tests.integration.engine.driving import Recorder, build, image, once, script
from workers.engine import Engine


async def test_inspection_agrees_with_dockers_own(engine: Engine, dockerd: Dockerd) -> None:
    name = f"inspected-{once()}:1"
    made = await image(engine, name, "ENV A=b", "LABEL one=two", "USER nobody", "EXPOSE 80", 'ENTRYPOINT ["/bin/echo"]')

    described = await engine.images.inspect(name)

    told = json.loads(dockerd.docker("image", "inspect", name).stdout)[0]
    assert (described.id, described.tags, described.digests) == (made, (name,), ())
    assert (described.os, described.architecture, described.size) == (told["Os"], told["Architecture"], told["Size"])
    assert (described.created, list(described.layers)) == (told["Created"], told["RootFS"]["Layers"])
    assert described.config == told["Config"]
    assert described.config["User"] == "nobody"


@pytest.mark.parametrize("form", ["id", "bare id", "short id", "name"])
async def test_image_is_found_by_any_of_its_handles(engine: Engine, form: str) -> None:
    name = f"handles-{once()}"
    made = await image(engine, name)
    handle = {"id": made, "bare id": made[7:], "short id": made[7:19], "name": name}[form]

    assert (await engine.images.inspect(handle)).id == made


async def test_history_agrees_with_dockers_own(engine: Engine, dockerd: Dockerd) -> None:
    made = await image(engine, None, "ENV A=b")

    lines = await engine.images.history(made)

    shown = dockerd.docker(
        "history", "--no-trunc", "--human=false", "--format", "{{.ID}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}", made
    )
    told = [tuple(line.split("\t")) for line in shown.stdout.splitlines()]
    assert [(line.id, line.created_by, str(line.size), line.comment) for line in lines] == told
    assert "/tmp/new" in lines[0].created_by


async def test_list_shows_every_image_once(engine: Engine, dockerd: Dockerd) -> None:
    name = f"listed-{once()}:1"
    made = await image(engine, name)

    found = [line for line in await engine.images.list() if line.id == made]

    assert [(line.tags, line.digests) for line in found] == [((name,), ())]
    assert sorted({line.id for line in await engine.images.list()}) == sorted(
        set(dockerd.docker("images", "-q", "--no-trunc").stdout.split())
    )


@pytest.mark.parametrize("bad", ["x/../../containers/json", "UPPER", "", "a b", "x?force=1", "x#"])
async def test_name_that_is_none_never_reaches_the_daemon(engine: Engine, bad: str) -> None:
    for call in (engine.images.inspect, engine.images.history, engine.images.remove, engine.images.untag):
        with pytest.raises(BuildUserError) as caught:
            await call(bad)
        assert caught.value.slug == "invalid-reference"


async def test_unknown_image_is_missing(engine: Engine) -> None:
    for call in (engine.images.inspect, engine.images.history, engine.images.remove):
        with pytest.raises(BuildUserError) as caught:
            await call("no-such-image:1")
        assert caught.value.slug == "image-missing"
        assert "no-such-image" in caught.value.message
    assert not await engine.images.exists("no-such-image:1")


async def test_removing_tells_what_went(engine: Engine) -> None:
    first, second = f"removed-{once()}:1", f"removed-{once()}:2"
    made = await image(engine, first)
    await engine.images.tag(made, second)

    assert await engine.images.untag(first) == [first]
    gone = await engine.images.remove(second)
    assert gone[:2] == [second, made]
    assert not await engine.images.exists(made)


async def test_image_with_two_names_is_removed_by_id_only_with_force(engine: Engine) -> None:
    first, second = f"forced-{once()}:1", f"forced-{once()}:2"
    made = await image(engine, first)
    await engine.images.tag(made, second)

    with pytest.raises(BuildUserError) as caught:
        await engine.images.remove(made)
    assert caught.value.slug == "image-in-use"

    assert {first, second, made} <= set(await engine.images.remove(made, force=True))


async def test_prune_frees_images_without_a_name_once_they_have_settled(engine: Engine) -> None:
    await build(engine, script("FROM base", f"RUN head -c 100000 /dev/urandom > /{once()}"))
    orphan = await engine.images.import_tar(pieces(tar({"big": os.urandom(500_000)})), sink=Recorder())
    named = await image(engine, f"kept-{once()}:1")

    await engine.images.prune(0)
    assert await engine.images.exists(orphan)
    await asyncio.sleep(1.1)  # the daemon compares ages in whole seconds
    freed = await engine.images.prune(0, settling=0)

    assert freed >= 500_000
    assert not await engine.images.exists(orphan)
    assert await engine.images.exists(named)
