"""A commit's containers: made, run, copied into, committed and gone; and those of others, left as they are."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.redis import RedisServer
from deploy.local.waiting import wait_until
from shipway.exceptions import BuildSystemError, BuildUserError
from shipway.models.event import LogChunk
from shipway.models.spec import SHARED_QUEUE, BuildSpec
from shipway.settings import Settings
from shipway.storage.jobs import JobStore
from shipway.storage.redis import connect
from tests.integration.engine.archiving import files_in, pieces, tar, whole
from tests.integration.engine.driving import Recorder, build, once, script
from tests.integration.engine.test_cancel import processes, until
from workers.engine import Engine
from workers.sweeping import sweep

RICH = (
    'ENTRYPOINT ["/bin/echo"]',
    'CMD ["x"]',
    "ENV A=b",
    "LABEL one=two",
    "WORKDIR /tmp/work",
    "HEALTHCHECK --interval=1s CMD touch /tmp/checked",
    "STOPSIGNAL SIGINT",
    "USER nobody",
)
FIELDS = ("Entrypoint", "Cmd", "Env", "Labels", "WorkingDir", "Healthcheck", "StopSignal", "User", "Volumes")


@pytest.fixture
async def container(engine: Engine) -> AsyncIterator[str]:
    """A container of a job's, from the base image, not started."""
    made = await engine.containers.create("base", job=once(), attempt=1)
    yield made
    await engine.containers.remove(made)


@pytest.fixture
async def bare(engine: Engine) -> str:
    """An image with one file, no command and nothing to run."""
    return await engine.images.import_tar(pieces(tar({"only": once().encode()})), sink=Recorder())


def config(dockerd: Dockerd, image: str) -> dict[str, Any]:
    """The configuration of an image, nothing being nothing: null, empty, absent."""
    told = json.loads(dockerd.docker("image", "inspect", image).stdout)[0]["Config"]
    return {field: told.get(field) or None for field in FIELDS}


def images(dockerd: Dockerd) -> set[str]:
    """The ids of everything the daemon has."""
    return set(dockerd.docker("images", "-aq", "--no-trunc").stdout.split())


async def test_commands_and_files_are_one_layer_upon_the_image(
    engine: Engine, dockerd: Dockerd, container: str
) -> None:
    containers, sink = engine.containers, Recorder()
    await containers.copy_in(container, "/tmp", pieces(tar({"in/": b"", "in/file": b"copied"})))
    await containers.start(container)
    assert await containers.run(container, "cat /tmp/in/file > /first", sink) == 0
    assert await containers.run(container, "rm -r /tmp/in && mkdir /second", sink) == 0

    made = await containers.commit(container, config=(await engine.images.inspect("base")).config, message="by hand")

    ran = dockerd.docker("run", "--rm", "--network=none", made, "sh", "-c", "cat /first; ls -d /second; ls /tmp")
    assert ran.stdout == "copied/second\n", ran.stderr
    base, new = (await engine.images.inspect("base")).layers, (await engine.images.inspect(made)).layers
    assert new[:-1] == base
    assert (await engine.images.history(made))[0].comment == "by hand"


async def test_image_without_any_program_is_committed_without_being_run(
    engine: Engine, dockerd: Dockerd, bare: str
) -> None:
    container = await engine.containers.create(bare, job=once(), attempt=1)
    await engine.containers.copy_in(container, "/", pieces(tar({"added": b"x"})))

    made = await engine.containers.commit(
        container, config=(await engine.images.inspect(bare)).config, changes=['CMD ["/only"]']
    )

    await engine.containers.remove(container)
    assert config(dockerd, made) | {"Env": None} == dict.fromkeys(FIELDS) | {"Cmd": ["/only"]}


async def test_committed_image_keeps_the_configuration_it_came_from(engine: Engine, dockerd: Dockerd) -> None:
    source = (await build(engine, script("FROM base", *RICH), builder="classic")).image_id
    container = await engine.containers.create(source, job=once(), attempt=1)
    await engine.containers.start(container)
    sink = Recorder()
    await engine.containers.run(container, "id -un; pwd; echo $A; sleep 1.5; ls /tmp", sink)

    made = await engine.containers.commit(container, config=(await engine.images.inspect(source)).config)

    await engine.containers.remove(container)
    assert sink.log.split("\n")[:3] == ["nobody", "/tmp/work", "b"]
    assert "checked" not in sink.log, "the image's health check ran beside the command"
    assert config(dockerd, made) == config(dockerd, source)


@pytest.mark.parametrize(
    "changes",
    [
        ["CMD other"],
        ['ENTRYPOINT ["/bin/cat"]'],
        ['ENTRYPOINT ["/bin/cat"]', 'CMD ["y"]'],
        ["ENTRYPOINT []"],
        ["ENV A=c B=d", "LABEL three=four", "EXPOSE 80/tcp", "WORKDIR /", "USER root", "VOLUME /data", "ONBUILD RUN x"],
    ],
)
async def test_changes_do_what_they_do_in_docker(engine: Engine, dockerd: Dockerd, changes: list[str]) -> None:
    source = (await build(engine, script("FROM base", *RICH), builder="classic")).image_id
    flags = [word for change in changes for word in ("--change", change)]
    theirs = dockerd.docker("create", source).stdout.strip()
    expected = dockerd.docker("commit", *flags, theirs).stdout.strip()
    dockerd.docker("rm", theirs)
    container = await engine.containers.create(source, job=once(), attempt=1)

    made = await engine.containers.commit(
        container, config=(await engine.images.inspect(source)).config, changes=changes, author="ada"
    )

    await engine.containers.remove(container)
    assert config(dockerd, made) == config(dockerd, expected)
    assert (await engine.images.inspect(made)).author == "ada"


async def test_named_container_is_committed_as_docker_does(engine: Engine, dockerd: Dockerd) -> None:
    name, reference = f"theirs-{once()}", f"committed-{once()}:1"
    dockerd.docker("run", "-d", "--name", name, "--network=none", "-l", "a=b", "base", "sh", "-c", "echo >/new; cat")
    found = await engine.containers.find(name)

    assert found is not None
    assert (found.name, found.image, found.labels) == (name, "base", {"a": "b"})
    assert await engine.containers.find(found.id[:12]) == found
    made = await engine.containers.commit(name, reference=reference)
    assert (await engine.images.inspect(reference)).id == made
    assert (await engine.images.inspect(made)).config["Labels"] == {"a": "b"}
    dockerd.docker("rm", "-f", name)


@pytest.mark.parametrize("change", ["RUN true", "ENV", "EXPOSE http", "FROM x", "nonsense"])
async def test_change_that_docker_refuses(engine: Engine, dockerd: Dockerd, container: str, change: str) -> None:
    before = images(dockerd)

    with pytest.raises(BuildUserError) as caught:
        await engine.containers.commit(container, changes=["ENV A=b", change])

    assert caught.value.slug == "change-refused"
    assert images(dockerd) == before


async def test_output_is_told_as_it_comes_with_its_stream_and_exit_code(engine: Engine, container: str) -> None:
    sink = Recorder()
    await engine.containers.start(container)
    task = asyncio.create_task(
        engine.containers.run(container, "printf 'é1'; echo err >&2; while [ ! -e /go ]; do :; done; exit 7", sink)
    )

    assert await until(lambda: "é1" in sink.log and "err" in sink.log)
    assert not task.done()
    await engine.containers.run(container, ["touch", "/go"], Recorder())
    assert await asyncio.wait_for(task, 10) == 7
    streams = {event.stream: event.text for event in sink.events if isinstance(event, LogChunk)}
    assert streams == {"stdout": "é1", "stderr": "err\n"}


async def test_much_output_comes_through_whole(engine: Engine, container: str) -> None:
    sink = Recorder()
    await engine.containers.start(container)

    assert await engine.containers.run(container, "seq 300000", sink) == 0

    assert sink.log == "".join(f"{number}\n" for number in range(1, 300_001))


async def test_program_that_is_not_there_fails_as_in_a_shell(engine: Engine, container: str) -> None:
    sink = Recorder()
    await engine.containers.start(container)

    assert await engine.containers.run(container, ["/no/such/program"], sink) in (126, 127)
    assert "no such file" in sink.log


async def test_image_without_a_shell_cannot_run_commands(engine: Engine, bare: str) -> None:
    container = await engine.containers.create(bare, job=once(), attempt=1)

    with pytest.raises(BuildUserError) as caught:
        await engine.containers.start(container)

    assert caught.value.slug == "shell-missing"
    await engine.containers.remove(container)


async def test_cancelled_command_ends_with_its_container(engine: Engine, dockerd: Dockerd) -> None:
    container, nap = await engine.containers.create("base", job=once(), attempt=1), f"1000.{int(once()[:6], 16)}"
    await engine.containers.start(container)
    task = asyncio.create_task(engine.containers.run(container, f"sleep {nap}", Recorder()))
    assert await until(lambda: processes(nap))

    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await engine.containers.remove(container)
    assert time.monotonic() - began < 2

    assert wait_until(lambda: not processes(nap), 1)
    assert container not in dockerd.docker("ps", "-aq", "--no-trunc").stdout


async def test_removing_goes_on_when_it_is_cancelled(engine: Engine, dockerd: Dockerd) -> None:
    container = await engine.containers.create("base", job=once(), attempt=1)
    await engine.containers.start(container)
    task = asyncio.create_task(engine.containers.remove(container))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert container not in dockerd.docker("ps", "-aq", "--no-trunc").stdout
    await engine.containers.remove(container)


@pytest.mark.parametrize("turns", [1, 3, 10, 30])
async def test_cancelled_creation_leaves_no_container(engine: Engine, dockerd: Dockerd, turns: int) -> None:
    job = once()
    task = asyncio.create_task(engine.containers.create("base", job=job, attempt=1))
    for _ in range(turns):
        await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await engine.ping()
    assert dockerd.docker("ps", "-aq", "--filter", f"name={job}").stdout == ""


async def test_cancelled_commit_leaves_no_image(engine: Engine, dockerd: Dockerd, container: str) -> None:
    await engine.containers.start(container)
    await engine.containers.run(container, "head -c 60000000 /dev/urandom > /big", Recorder())
    before, name = images(dockerd), f"never-{once()}:1"
    task = asyncio.create_task(engine.containers.commit(container, reference=name))
    await asyncio.sleep(0.05)

    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert images(dockerd) == before


async def test_daemon_that_dies_in_mid_command_is_lost(doomed_dockerd: Dockerd) -> None:
    nap = f"1000.{int(once()[:6], 16)}"
    async with Engine(doomed_dockerd.host) as engine:
        container = await engine.containers.create("base", job=once(), attempt=1)
        await engine.containers.start(container)
        task = asyncio.create_task(engine.containers.run(container, f"sleep {nap}", Recorder()))
        assert await until(lambda: processes(nap))

        os.kill(doomed_dockerd.child.pid, signal.SIGTERM)

        with pytest.raises(BuildSystemError) as caught:
            await asyncio.wait_for(task, 20)
    assert caught.value.slug in ("daemon-lost", "daemon-unreachable")


async def test_copied_tar_arrives_with_modes_and_owners(engine: Engine, container: str) -> None:
    await engine.containers.start(container)
    await engine.containers.copy_in(container, "/tmp", pieces(tar({"new/deep/file": os.urandom(2_000_000)})))
    sink = Recorder()

    await engine.containers.run(container, "stat -c '%n %a %u %s' /tmp/new/deep/file", sink)

    assert sink.log == "/tmp/new/deep/file 644 0 2000000\n"


@pytest.mark.parametrize(
    ("destination", "content", "slug"),
    [
        ("/nope", tar({"a": b"x" * 3_000_000}), "copy-destination"),
        ("/etc/passwd", tar({"a": b"x" * 3_000_000}), "copy-destination"),
        ("/tmp", os.urandom(3_000_000), "archive-invalid"),
        ("/tmp", tar({"a": b"x" * 3_000_000})[:1_000_000], "archive-invalid"),
        ("/tmp", b"", "archive-invalid"),
    ],
)
async def test_copy_that_cannot_be(engine: Engine, container: str, destination: str, content: bytes, slug: str) -> None:
    with pytest.raises(BuildUserError) as caught:
        await engine.containers.copy_in(container, destination, pieces(content))

    assert caught.value.slug == slug


async def test_export_is_the_filesystem_and_imports_again(engine: Engine, dockerd: Dockerd, container: str) -> None:
    word = once().encode()
    await engine.containers.copy_in(container, "/tmp", pieces(tar({"mark": word})))

    archive = await whole(engine.containers.export(container))

    assert files_in(archive)["tmp/mark"] == word
    made = await engine.images.import_tar(pieces(archive), sink=Recorder())
    ran = dockerd.docker("run", "--rm", "--network=none", made, "/bin/cat", "/tmp/mark")
    assert ran.stdout.encode() == word


async def test_reader_that_stops_early_stops_the_export(engine: Engine, container: str) -> None:
    await engine.containers.start(container)
    await engine.containers.run(container, "head -c 30000000 /dev/zero > /big", Recorder())

    async with aclosing(engine.containers.export(container)) as chunks:
        assert await anext(chunks)

    assert (await engine.containers.find(container)) is not None


@pytest.mark.parametrize("bad", ["../images/base", "a/b", "", "a?b", "-a", "a%2fb", "a\n"])
async def test_name_that_is_none_never_reaches_the_daemon(engine: Engine, bad: str) -> None:
    calls = [
        lambda: engine.containers.find(bad),
        lambda: engine.containers.start(bad),
        lambda: engine.containers.remove(bad),
        lambda: engine.containers.commit(bad),
        lambda: engine.containers.run(bad, "true", Recorder()),
        lambda: engine.containers.copy_in(bad, "/", pieces(tar({"a": b""}))),
    ]
    for call in calls:
        with pytest.raises(BuildUserError) as caught:
            await call()  # type: ignore[no-untyped-call]
        assert caught.value.slug == "invalid-container-name"


async def test_unknown_container(engine: Engine) -> None:
    name = f"nobody-{once()}"
    assert await engine.containers.find(name) is None
    await engine.containers.remove(name)
    for call in (engine.containers.start(name), engine.containers.commit(name), whole(engine.containers.export(name))):
        with pytest.raises(BuildUserError) as caught:
            await call
        assert caught.value.slug == "container-unknown"


async def test_unknown_image_and_network(engine: Engine) -> None:
    with pytest.raises(BuildUserError) as caught:
        await engine.containers.create("no-such-image", job=once(), attempt=1)
    assert caught.value.slug == "image-missing"


async def test_sweeping_takes_what_dead_attempts_left_and_nothing_of_others(
    engine: Engine, dockerd: Dockerd, tmp_path: Path
) -> None:
    theirs = f"shipwayish-{once()}"
    dockerd.docker("create", "--name", theirs, "base")
    with RedisServer(tmp_path) as server:
        redis = connect(server.url)
        jobs = JobStore(redis, Settings())
        job, _ = await jobs.accept("p", BuildSpec(context="sha256:" + "0" * 64))
        await jobs.claim("worker", [SHARED_QUEUE], job)
        attempts = [(job, 1), (job, 7), (once(), 1)]
        kept, dead, strange = [await engine.containers.create("base", job=j, attempt=n) for j, n in attempts]

        await sweep(engine, jobs)
        at_first = dockerd.docker("ps", "-aq", "--no-trunc").stdout
        await sweep(engine, jobs, strange=0)
        await redis.aclose()

    left = dockerd.docker("ps", "-aq", "--no-trunc").stdout
    assert [container in at_first for container in (kept, dead, strange)] == [True, False, True]
    assert [container in left for container in (kept, dead, strange)] == [True, False, False]
    assert await engine.containers.find(theirs) is not None
    await engine.containers.remove(kept)
    dockerd.docker("rm", theirs)
