"""BuildKit gets what it wants of a context, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from deploy.local.dockerd import Dockerd
from shipway.context.source import ContextSource
from shipway.models.context import Entry, Manifest
from tests.integration.engine.driving import build, file, memory_context, once, script
from workers.engine import Engine


def reads_of(source: ContextSource) -> tuple[ContextSource, list[str]]:
    """Return the same context, and a list that grows by the path of every file that is read.

    But for the Dockerfile, which a current BuildKit asks for anew each time, from docker's own client too.
    """
    paths: list[str] = []

    async def read(entry: Entry) -> AsyncIterator[bytes]:
        if entry.path != "Dockerfile":
            paths.append(entry.path)
        async for chunk in source.read(entry):
            yield chunk

    return ContextSource(source.manifest, read), paths


async def test_nothing_changed_means_nothing_sent(engine: Engine) -> None:
    files = {**script("FROM base", "COPY . /all"), **{f"d{n % 10}/f{n}": b"x" * n for n in range(300)}}
    key = once()
    first = await build(engine, files, shared_key=key)
    source, paths = reads_of(memory_context(files))

    second = await build(engine, source, shared_key=key)

    script_size = len(files["Dockerfile"])  # which is asked for by itself as well
    whole = memory_context(files).manifest.size + script_size
    assert (first.context_sent, first.context_spared) == (whole, 0)
    assert paths == []
    assert second.context_sent in {0, script_size}
    assert second.context_sent + second.context_spared == whole


async def test_one_changed_file_is_the_one_sent(engine: Engine) -> None:
    files, key = {**script("FROM base", "COPY . /all"), "a": b"1", "b": b"2", "link/c": b"3"}, once()
    await build(engine, files, shared_key=key)
    source, paths = reads_of(memory_context({**files, "b": b"two"}))

    outcome = await build(engine, source, shared_key=key)

    assert paths == ["b"]
    assert outcome.context_sent in {3, 3 + len(files["Dockerfile"])}


async def test_changed_content_is_seen_behind_equal_sizes_and_times(engine: Engine, dockerd: Dockerd) -> None:
    """Reproducible archives have all times set to zero: the content must tell, not the time."""
    key, image = once(), ""
    for content in (b"old", b"new"):
        body = {"Dockerfile": b"FROM base\nCOPY a /a\n", "a": content}
        entries = [file(path, text, mtime_ns=0) for path, text in body.items()]
        outcome = await build(engine, ContextSource(Manifest(entries), memory_context(body).read), shared_key=key)
        image = outcome.image_id

    assert dockerd.docker("run", "--rm", "--network=none", image, "cat", "/a").stdout == "new"


async def test_removed_file_is_gone(engine: Engine, dockerd: Dockerd) -> None:
    files, key = {**script("FROM base", "COPY . /all"), "a": b"1", "b": b"2"}, once()
    await build(engine, files, shared_key=key)
    del files["b"]

    outcome = await build(engine, files, shared_key=key)

    assert dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "ls", "/all").stdout.split() == [
        "Dockerfile",
        "a",
    ]


async def test_modification_times_keep_their_seconds(engine: Engine, dockerd: Dockerd) -> None:
    body = script("FROM base", "COPY Dockerfile /d")
    entry = file("Dockerfile", body["Dockerfile"], mtime_ns=1_234_567_890_123_456_789)

    outcome = await build(engine, ContextSource(Manifest([entry]), memory_context(body).read))

    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "stat", "-c", "%Y", "/d")
    assert ran.stdout.strip() == "1234567890", ran.stderr


async def test_large_files_arrive_whole(engine: Engine, dockerd: Dockerd) -> None:
    block, blocks = bytes(range(256)) * 4096, 40  # 40 MiB, told in chunks of 1 MiB
    body = script("FROM base", "COPY big /big")
    entries = [file("Dockerfile", body["Dockerfile"]), file("big", block * blocks)]

    async def read(entry: Entry) -> AsyncIterator[bytes]:
        if entry.path == "big":
            for _ in range(blocks):
                yield block
        else:
            yield body[entry.path]

    outcome = await build(engine, ContextSource(Manifest(entries), read))

    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "sha256sum", "/big")
    assert f"sha256:{ran.stdout.split()[0]}" == entries[1].digest


async def test_ten_thousand_files_cost_little_of_our_own_time(engine: Engine, dockerd: Dockerd) -> None:
    files = {**script("FROM base", "COPY . /all"), **{f"d{n % 100}/f{n}": b"%d" % n for n in range(10_000)}}

    context = memory_context(files)
    began = time.process_time()
    outcome = await build(engine, context)
    took = time.process_time() - began

    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "sh", "-c", "find /all -type f | wc -l")
    assert ran.stdout.strip() == "10001", ran.stderr
    assert took < 5, "seconds of processor time; 0.4 measured"


async def test_two_builds_of_one_key_at_the_same_time(engine: Engine) -> None:
    key = once()
    files = [{**script("FROM base", "COPY . /all"), "a": b"%d" % n} for n in range(4)]

    outcomes = await asyncio.gather(*(build(engine, each, shared_key=key) for each in files))

    assert len({outcome.image_id for outcome in outcomes}) == 4


async def test_names_beyond_ascii_in_patterns(engine: Engine, dockerd: Dockerd) -> None:
    files = {**script("FROM base", "COPY größe /all/"), ".dockerignore": "ñ*\n".encode(), "größe": b"1", "ñandú": b"2"}

    outcome = await build(engine, files)

    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "find", "/all", "-type", "f")
    assert ran.stdout.split() == ["/all/größe"], ran.stderr


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
async def test_empty_files_and_deep_paths(engine: Engine, dockerd: Dockerd, builder: str) -> None:
    deep = "/".join(["d" * 40] * 8)
    files = {**script("FROM base", "COPY . /all"), f"{deep}/leaf": b"deep", "empty": b""}

    outcome = await build(engine, files, builder=builder)

    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "cat", f"/all/{deep}/leaf", "/all/empty")
    assert ran.stdout == "deep", ran.stderr
