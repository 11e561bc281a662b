"""Archives out and in, whole or not at all, and what docker makes of them."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.waiting import wait_until
from shipway.exceptions import BuildSystemError, BuildUserError, JobError
from tests.integration.engine.archiving import files_in, manifest_of, pieces, tar, whole
from tests.integration.engine.driving import Recorder, image, once
from workers.engine import Engine


def known(dockerd: Dockerd) -> list[str]:
    """Every image and name that the daemon has."""
    return sorted(
        dockerd.docker("images", "-a", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}").stdout.split("\n")
    )


def remnants(dockerd: Dockerd) -> list[Path]:
    """What is in the daemon's folder for transfers."""
    folder = dockerd.data_root / "tmp"
    return list(folder.iterdir()) if folder.exists() else []


async def test_saved_images_load_with_docker_under_the_same_ids(
    engine: Engine, dockerd: Dockerd, tmp_path: Path
) -> None:
    names = [f"saved-{once()}:1", f"saved-{once()}:2"]
    made = [await image(engine, name) for name in names]

    archive = await whole(engine.images.save(names))

    assert sorted(tag for entry in manifest_of(archive) for tag in entry["RepoTags"]) == sorted(names)
    for name in names:
        await engine.images.remove(name)
    (tmp_path / "app.tar").write_bytes(archive)
    assert dockerd.docker("load", "-i", tmp_path / "app.tar").returncode == 0
    assert [(await engine.images.inspect(name)).id for name in names] == made


@pytest.mark.parametrize("packed", [False, True])
async def test_dockers_archive_loads_under_the_same_id(
    engine: Engine, dockerd: Dockerd, tmp_path: Path, packed: bool
) -> None:
    name, sink = f"loaded-{once()}:1", Recorder()
    made = await image(engine, name)
    assert dockerd.docker("save", "-o", tmp_path / "app.tar", name).returncode == 0
    await engine.images.remove(name)
    archive = (tmp_path / "app.tar").read_bytes()

    loaded = await engine.images.load(pieces(gzip.compress(archive) if packed else archive), sink)

    assert loaded == [name]
    assert (await engine.images.inspect(name)).id == made
    assert sink.progress[-1].id != "archive" or sink.progress[-1].current > 0


async def test_image_without_a_name_loads_as_its_id(engine: Engine) -> None:
    made = await image(engine)
    archive = await whole(engine.images.save([made]))
    await engine.images.remove(made)

    assert await engine.images.load(pieces(archive), Recorder()) == [made]


async def test_save_of_many_names_the_one_that_is_gone(engine: Engine) -> None:
    made = await image(engine)
    names = [f"many-{number}-{made[7:19]}:1" for number in range(30)]
    for name in names:
        await engine.images.tag(made, name)
    await engine.images.untag(names[17])

    with pytest.raises(BuildUserError) as caught:
        await whole(engine.images.save(names))

    assert caught.value.slug == "image-missing"
    assert names[17] in caught.value.message


def garbage(archive: bytes) -> dict[str, bytes]:
    """Archives that are none."""
    empty_list, wrong = tar({"manifest.json": b"[]"}), tar({"manifest.json": b'{"a": 1}'})
    absent = tar({"manifest.json": b'[{"Config":"gone.json","RepoTags":["x:1"],"Layers":["gone.tar"]}]'})
    return {
        "empty": b"",
        "zeros": bytes(10_240),
        "noise": os.urandom(3_000_000),
        "truncated": archive[: len(archive) // 2],
        "truncated gzip": gzip.compress(archive)[:-2000],
        "other tar": tar({"readme": b"hello"}),
        "no images": empty_list,
        "wrong manifest": wrong,
        "files missing": absent,
    }


@pytest.mark.parametrize("kind", list(garbage(b"")))
async def test_archive_that_holds_no_image_is_refused(engine: Engine, dockerd: Dockerd, kind: str) -> None:
    archive = await whole(engine.images.save(["base"]))
    before = known(dockerd)

    with pytest.raises(BuildUserError) as caught:
        await engine.images.load(pieces(garbage(archive)[kind]), Recorder())

    assert caught.value.slug == "archive-invalid"
    assert str(dockerd.data_root) not in caught.value.message
    assert known(dockerd) == before
    assert wait_until(lambda: not remnants(dockerd), 5)


async def test_archive_that_breaks_at_its_second_image_loads_nothing(engine: Engine, dockerd: Dockerd) -> None:
    taken, fresh, broken = (f"{word}-{once()}:1" for word in ("taken", "fresh", "broken"))
    good, bad = await image(engine, taken), await image(engine, broken)
    await engine.images.tag(good, fresh)
    archive = await whole(engine.images.save([taken, fresh, broken]))
    for name in (taken, fresh, broken):
        await engine.images.untag(name)
    other = await image(engine, taken)  # the name has moved on
    before = known(dockerd)

    with pytest.raises(BuildUserError) as caught:
        await engine.images.load(pieces(_with_config_lost(archive, bad)), Recorder())

    assert caught.value.slug == "archive-invalid"
    assert (await engine.images.inspect(taken)).id == other
    assert known(dockerd) == before


def _with_config_lost(archive: bytes, image_id: str) -> bytes:
    """Put an image last in its archive, without its configuration."""
    entries = sorted(manifest_of(archive), key=lambda entry: image_id[7:] in entry["Config"])
    assert image_id[7:] in entries[-1]["Config"]
    files = files_in(archive) | {"manifest.json": json.dumps(entries).encode()}
    del files[entries[-1]["Config"]]
    return tar(files)


@pytest.mark.parametrize("work", ["load", "import"])
async def test_source_that_fails_is_the_error(engine: Engine, dockerd: Dockerd, work: str) -> None:
    before = known(dockerd)

    async def source() -> AsyncIterator[bytes]:
        yield tar({"a": os.urandom(3_000_000)})[:2_000_000]
        raise LookupError("the store is gone")

    images, sink = engine.images, Recorder()
    with pytest.raises(LookupError, match="the store is gone"):
        await (images.load(source(), sink) if work == "load" else images.import_tar(source(), sink=sink))

    assert known(dockerd) == before


async def test_imported_tar_is_an_image_without_history(engine: Engine, dockerd: Dockerd) -> None:
    name, sink = f"imported-{once()}:1", Recorder()

    made = await engine.images.import_tar(
        pieces(tar({"greeting": once().encode()})),
        reference=name,
        changes=["ENV A=b", 'CMD ["/x"]', "LABEL one=two"],
        message="by hand",
        platform="linux/arm64",
        sink=sink,
    )

    described = await engine.images.inspect(name)
    assert (described.id, described.comment) == (made, "by hand")
    assert described.architecture == "arm64" or [w.message for w in sink.warnings if "linux/amd64" in w.message]
    assert (described.config["Env"], described.config["Cmd"]) == (["A=b"], ["/x"])
    assert [(line.created_by, line.comment) for line in await engine.images.history(made)] == [("", "by hand")]
    assert [(report.id, report.current) for report in sink.progress][-1] == ("archive", 10_240)
    assert name in dockerd.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout


@pytest.mark.parametrize(
    ("content", "options", "slug"),
    [
        (b"", {}, "archive-invalid"),
        (os.urandom(3_000_000), {}, "archive-invalid"),
        (tar({"a": b"x" * 1_000_000})[:500_000], {}, "archive-invalid"),
        (tar({"a": b"x"}), {"changes": ["RUN rm -rf /"]}, "change-refused"),
        (tar({"a": b"x" * 3_000_000}), {"changes": ["EXPOSE http"]}, "change-refused"),
        (tar({"a": b"x"}), {"changes": ["ENV"]}, "change-refused"),
        (tar({"a": b"x"}), {"platform": "windows/amd64"}, "platform-unsupported"),
    ],
)
async def test_import_that_cannot_be_is_refused_and_leaves_nothing(
    engine: Engine, dockerd: Dockerd, content: bytes, options: dict[str, object], slug: str
) -> None:
    before = known(dockerd)

    with pytest.raises(JobError) as caught:
        await engine.images.import_tar(pieces(content), sink=Recorder(), **options)  # type: ignore[arg-type]

    assert (type(caught.value), caught.value.slug) == (BuildUserError, slug)
    assert known(dockerd) == before


async def test_cancelled_save_stops_in_the_daemon(engine: Engine, dockerd: Dockerd) -> None:
    made = await engine.images.import_tar(pieces(tar({"big": os.urandom(30_000_000)})), sink=Recorder())
    begun = asyncio.Event()

    async def read() -> None:
        async with aclosing(engine.images.save([made])) as chunks:
            async for _ in chunks:
                begun.set()
                await asyncio.sleep(0.2)

    task = asyncio.create_task(read())
    await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await asyncio.to_thread(wait_until, lambda: not remnants(dockerd), 2)
    await engine.images.remove(made)


async def test_load_cancelled_while_it_is_sent_leaves_nothing(engine: Engine, dockerd: Dockerd) -> None:
    archive, waiting = await whole(engine.images.save(["base"])), asyncio.Event()
    before = known(dockerd)

    async def source() -> AsyncIterator[bytes]:
        yield archive[:1_500_000]
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(engine.images.load(source(), Recorder()))
    await asyncio.wait_for(waiting.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)

    assert await asyncio.to_thread(wait_until, lambda: not remnants(dockerd), 2)
    assert known(dockerd) == before


async def test_load_cancelled_when_all_is_sent_leaves_nothing(engine: Engine, dockerd: Dockerd) -> None:
    name, sent = f"late-{once()}:1", asyncio.Event()
    tree = pieces(tar({f"{number}": os.urandom(20_000) for number in range(1500)}), 1_000_000)
    made = await engine.images.import_tar(tree, reference=name, sink=Recorder())
    archive = await whole(engine.images.save([name]))
    await engine.images.remove(name)

    async def source() -> AsyncIterator[bytes]:
        async for piece in pieces(archive, 1_000_000):
            yield piece
        sent.set()

    task = asyncio.create_task(engine.images.load(source(), Recorder()))
    await asyncio.wait_for(sent.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await asyncio.to_thread(wait_until, lambda: not remnants(dockerd), 5)
    assert not await engine.images.exists(made)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


async def test_full_disk_is_the_systems_fault_and_leaves_nothing(dockerd: Dockerd, small_disk: Path) -> None:
    big = tar({"big": os.urandom(80_000_000)})
    with Dockerd(small_disk / "data", engine=dockerd.engine, log=small_disk.parent / "small.log") as daemon:
        async with Engine(daemon.host) as engine:
            before = await engine.images.import_tar(pieces(tar({"a": b"x"})), sink=Recorder())
            for call in (
                lambda: engine.images.import_tar(pieces(big), sink=Recorder()),
                lambda: engine.images.load(pieces(big), Recorder()),
            ):
                with pytest.raises(BuildSystemError) as caught:
                    await call()
                assert (caught.value.slug, caught.value.retryable) == ("disk-full", True)
            assert [line.id for line in await engine.images.list()] == [before]
            assert wait_until(lambda: not remnants(daemon), 5)
