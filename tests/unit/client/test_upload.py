"""What is sent as a context."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipway.client import AsyncClient, Client
from shipway.client.threads import DEPTH, iterate_in_thread
from shipway.client.upload import DockerfileSource, prepare
from shipway.exceptions import ClientError, ContextError, InvalidRequest
from tests.unit.client.stand_in import JOB, StandIn, problem, wait_until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    (root / "src").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "src" / "main.py").write_text("print()\n")
    (root / "noise.log").write_text("x" * 100_000)
    (root / ".dockerignore").write_text("*.log\nDockerfile\n")
    return root


def tar_of(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_ignored_files_stay_here_but_the_dockerfile_goes(service: StandIn, root: Path) -> None:
    with Client(service.url) as client:
        client.build(root)

    assert service.members() == [".dockerignore", "Dockerfile", "src", "src/main.py"]
    assert service.builds[0][1].get("dockerfile", "Dockerfile") == "Dockerfile"


def test_the_dockerfiles_own_ignore_file_counts_first(service: StandIn, root: Path) -> None:
    (root / "other.Dockerfile").write_text("FROM scratch\n")
    (root / "other.Dockerfile.dockerignore").write_text("src\n*.dockerignore\n")
    with Client(service.url) as client:
        client.build(root, dockerfile="other.Dockerfile")

    assert "src/main.py" not in service.members()
    assert "other.Dockerfile.dockerignore" in service.members()  # the builder applies it again
    assert "noise.log" in service.members()
    assert service.builds[0][1]["dockerfile"] == "other.Dockerfile"


def test_a_dockerfile_outside_is_a_context_of_its_own(service: StandIn, root: Path, tmp_path: Path) -> None:
    (tmp_path / "my.Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "my.Dockerfile.dockerignore").write_text("noise.log\n")
    with Client(service.url) as client:
        client.build(root, dockerfile=tmp_path / "my.Dockerfile")

    assert service.members(0) == ["my.Dockerfile", "my.Dockerfile.dockerignore"]
    assert service.members(1) == [".dockerignore", "Dockerfile", "src", "src/main.py"]
    assert service.builds[0][1]["dockerfile"] == "my.Dockerfile"
    assert service.builds[0][1]["dockerfile_context"] == service.builds[0][1]["context"]


def test_a_link_out_of_the_context_is_a_dockerfile_outside(root: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("FROM scratch\n# shared\n")
    (root / "linked").symlink_to(tmp_path / "shared")

    local = prepare(root, "linked")

    assert local.outside == DockerfileSource(b"FROM scratch\n# shared\n", "linked")


def test_a_lower_case_dockerfile_is_found_when_there_is_no_other(root: Path) -> None:
    (root / "Dockerfile").rename(root / "dockerfile")

    assert prepare(root).dockerfile == "dockerfile"


@pytest.mark.parametrize(("dockerfile", "slug"), [("nowhere", "dockerfile-missing"), ("src", "dockerfile-missing")])
def test_a_missing_dockerfile_is_told_before_anything_is_sent(dockerfile: str, slug: str, root: Path) -> None:
    with pytest.raises(ClientError) as raised:
        prepare(root, dockerfile)

    assert raised.value.slug == slug


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClientError) as raised:
        prepare(tmp_path / "nowhere")

    assert raised.value.slug == "context-missing"


@pytest.mark.parametrize("compressed", [False, True])
def test_a_tar_on_a_stream_is_passed_on_as_it_is(compressed: bool, service: StandIn) -> None:
    content = tar_of("Dockerfile", b"FROM scratch\n" + os.urandom(700_000))
    content = gzip.compress(content) if compressed else content
    with Client(service.url) as client:
        client.build(io.BytesIO(content), dockerfile="Dockerfile")

    assert service.contexts == [content]


def test_a_tar_through_a_slow_pipe_is_recognised() -> None:
    reading, writing = os.pipe()
    content = tar_of("Dockerfile", b"FROM scratch\n")

    def trickle() -> None:
        with os.fdopen(writing, "wb", buffering=0) as out:
            out.writelines(content[start : start + 100] for start in range(0, len(content), 100))

    thread = threading.Thread(target=trickle)
    thread.start()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        local = prepare(stream)
        assert b"".join(local.upload.chunks()) == content
    thread.join()

    assert local.text is None


def test_a_bare_dockerfile_on_a_stream_is_a_context_with_only_it(service: StandIn) -> None:
    with Client(service.url) as client:
        client.build(io.BytesIO(b"FROM scratch\nLABEL a=b\n"))

    assert service.members() == ["Dockerfile"]


def test_a_stream_that_is_neither_is_refused() -> None:
    for content, slug in ((b"", "context-missing"), (b"\x7fELF\0\0\0", "context-invalid")):
        with pytest.raises(ClientError) as raised:
            prepare(io.BytesIO(content))
        assert raised.value.slug == slug


def test_two_dockerfiles_are_ambiguous() -> None:
    with pytest.raises(ClientError) as raised:
        prepare(io.BytesIO(b"FROM scratch\n"), "Dockerfile")

    assert raised.value.slug == "dockerfile-ambiguous"


def test_a_directory_is_sent_again_when_the_service_was_away(service: StandIn, root: Path) -> None:
    service.refuse("/v1/contexts", problem(503, "unavailable", "redis is away"))
    with Client(service.url) as client:
        client.upload_context(root)

    assert len(service.contexts) == 1


def test_a_stream_is_sent_once(service: StandIn) -> None:
    service.refuse("/v1/contexts", problem(503, "unavailable", "redis is away"))
    with Client(service.url) as client, pytest.raises(Exception, match="redis is away"):
        client.upload_context(io.BytesIO(tar_of("Dockerfile", b"")))

    assert service.contexts == []


def test_wrong_options_are_told_before_the_upload(service: StandIn, root: Path) -> None:
    with Client(service.url) as client:
        with pytest.raises(InvalidRequest) as raised:
            client.build(root, tags=["Not/A/Name"])
        assert (raised.value.slug, raised.value.field) == ("invalid-image-name", "tags.0")
        with pytest.raises(InvalidRequest) as raised:
            client.build(root, push=True)
        assert raised.value.slug == "push-without-tag"

    assert service.contexts == []


def test_a_secret_value_never_stands_in_an_error(service: StandIn, root: Path) -> None:
    with Client(service.url) as client, pytest.raises(InvalidRequest) as raised:
        client.build(root, secrets={"x" * 300: b"very-secret"}, build_args={"A": "b" * 70_000})

    assert "very-secret" not in str(raised.value)


def test_progress_ends_near_the_total_that_was_told(service: StandIn, root: Path) -> None:
    (root / "big").write_bytes(os.urandom(3_000_000))
    seen: list[tuple[int, int | None]] = []
    with Client(service.url) as client:
        client.upload_context(root, on_progress=lambda sent, total: seen.append((sent, total)))

    sent, total = seen[-1]
    assert sent == len(service.contexts[0])
    assert total is not None
    assert abs(total - sent) < 10_000
    assert [s for s, _ in seen] == sorted(s for s, _ in seen)


def test_a_file_that_shrinks_on_the_way_stops_the_upload(service: StandIn, root: Path) -> None:
    local = prepare(root)
    (root / "src" / "main.py").write_text("")
    with Client(service.url) as client, pytest.raises(ContextError) as raised:
        client.upload_context(local)

    assert raised.value.slug == "context-file-changed"
    assert service.contexts == []


async def test_reading_ahead_is_bounded_and_stops_with_the_reader() -> None:
    before = {*threading.enumerate()}
    made: list[int] = []

    def endless() -> Iterator[bytes]:
        number = 0
        while True:
            made.append(number)
            number += 1
            yield b"x"

    items = iterate_in_thread(endless)
    await anext(items)
    wait_until(lambda: len(made) >= DEPTH)
    await items.aclose()
    wait_until(lambda: not any(t.name == "shipway-upload" for t in {*threading.enumerate()} - before))

    assert len(made) <= DEPTH + 3


async def test_the_service_answers_while_a_context_is_prepared(service: StandIn, root: Path) -> None:
    async with AsyncClient(service.url) as client:
        job = await client.build(root)

    assert job.id == JOB
