"""`shipway save`, `load`, `export` and `import`: archives that Docker itself makes and takes."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from deploy.local.base_image import archive as base_archive
from deploy.local.dockerd import Dockerd
from tests.integration.command import Shipway, write
from tests.integration.contexts import once, tar_of
from tests.integration.fleet import Fleet, image_id, inspected, output_of
from tests.integration.leftovers import nothing_left


def _unzstd(raw: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(raw)


UNPACK: dict[str, Callable[[bytes], bytes]] = {"none": bytes, "gzip": gzip.decompress, "zstd": _unzstd}


def make(daemon: Dockerd, name: str) -> str:
    """Give a daemon an image of one layer more than the base; returns its id."""
    word = once()
    started = daemon.docker("create", "--name", word, "base", "sh")
    assert started.returncode == 0, started.stderr
    source = daemon.data_root.parent / word
    source.write_text(word)
    daemon.docker("cp", source, f"{word}:/word")
    source.unlink()
    assert daemon.docker("commit", word, name).returncode == 0
    daemon.docker("rm", word)
    return image_id(daemon, name)


@pytest.fixture
def image(shipway: Shipway, fleet: Fleet) -> str:
    """An image that worker `one` has and says so."""
    name = f"moved-{once()[:8]}:1"
    shipway.ok("tag", "base", name, "--worker", "one")
    shipway.ok("commit", name, "--worker", "one", "--run", f"echo {once()} > /word", "-t", name, "-q")
    return name


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_saved_archive_loads_with_docker_load(shipway: Shipway, fleet: Fleet, image: str, compression: str) -> None:
    """Two images in one archive; the same ids on the other daemon."""
    other = f"other-{once()[:8]}:1"
    shipway.ok("tag", image, other, "--worker", "one")

    done = shipway("save", image, other, "-o", "app.tar", "--compression", compression)

    assert done.returncode == 0, done.stderr
    packed = (shipway.folder / "app.tar").read_bytes()
    plain = shipway.folder / "plain.tar"
    plain.write_bytes(UNPACK[compression](packed))
    loaded = fleet.two.docker("load", "-i", plain)
    assert loaded.returncode == 0, loaded.stderr
    for name in (image, other):
        assert image_id(fleet.two, name) == image_id(fleet.one, name)
    assert [path.name for path in shipway.folder.glob(".app.tar*")] == []


def test_archive_on_standard_output_is_the_same(shipway: Shipway, fleet: Fleet, image: str) -> None:
    with (shipway.folder / "piped.tar").open("wb") as out:
        started = shipway.start("save", image, stdout=out)
        assert started.wait(60) == 0

    assert fleet.two.docker("load", "-i", shipway.folder / "piped.tar").returncode == 0
    assert image_id(fleet.two, image) == image_id(fleet.one, image)


@pytest.mark.parametrize("pack", ["plain", "gzip", "zstd"])
def test_archive_of_docker_save_loads(shipway: Shipway, fleet: Fleet, pack: str) -> None:
    name = f"theirs-{once()[:8]}:1"
    made, archive = make(fleet.one, name), shipway.folder / "theirs.tar"
    fleet.one.docker("save", "-o", archive, name)
    raw = archive.read_bytes()
    archive.write_bytes({"plain": raw, "gzip": gzip.compress(raw, 1), "zstd": zstandard.compress(raw)}[pack])

    printed = shipway.ok("load", "-i", archive, "--workers", "two")

    assert printed == f"Loaded image: {name}\n"
    assert image_id(fleet.two, name) == made


def test_archive_on_standard_input_loads_onto_all_workers(shipway: Shipway, fleet: Fleet) -> None:
    name = f"all-{once()[:8]}:1"
    made, archive = make(fleet.one, name), shipway.folder / "theirs.tar"
    fleet.one.docker("save", "-o", archive, name)
    fleet.one.docker("rmi", name)

    printed = shipway.ok("load", "--workers", "all", stdin=archive.read_bytes())

    assert sorted(printed.splitlines()) == [f"one: Loaded image: {name}", f"two: Loaded image: {name}"]
    assert image_id(fleet.one, name) == image_id(fleet.two, name) == made


def test_image_without_a_name_is_saved_and_loaded_by_its_id(shipway: Shipway, fleet: Fleet) -> None:
    made = shipway.ok("commit", "base", "--worker", "one", "--run", f"echo {once()} > /w", "-q").strip()

    shipway.ok("save", made.removeprefix("sha256:")[:12], "-o", "nameless.tar")
    printed = shipway.ok("load", "-i", "nameless.tar", "--workers", "two")

    assert printed == f"Loaded image ID: {made}\n"


def test_export_holds_what_docker_export_holds(shipway: Shipway, fleet: Fleet, image: str) -> None:
    shipway.ok("export", image, "-o", "ours.tar")

    word = once()
    fleet.one.docker("create", "--name", word, image, "sh")
    fleet.one.docker("export", "-o", shipway.folder / "theirs.tar", word)
    fleet.one.docker("rm", word)
    assert _content(shipway.folder / "ours.tar") == _content(shipway.folder / "theirs.tar")


def test_container_of_a_worker_is_exported_as_it_is_now(shipway: Shipway, fleet: Fleet) -> None:
    word = once()
    ran = fleet.two.docker("run", "--network=none", f"--name={word}", "base", "sh", "-c", f"echo {word} > /now")
    assert ran.returncode == 0, ran.stderr
    try:
        shipway.ok("export", "--container", word, "--worker", "two", "-o", "now.tar", "--compression", "zstd")
    finally:
        fleet.two.docker("rm", word)

    with tarfile.open(fileobj=io.BytesIO(_unzstd((shipway.folder / "now.tar").read_bytes()))) as tar:
        found = tar.extractfile("now")
        assert found is not None
        assert found.read() == f"{word}\n".encode()


def test_an_import_has_no_history(shipway: Shipway, fleet: Fleet, image: str) -> None:
    """As in Docker: the image of many layers that goes out comes back as one of one, with nothing of its past."""
    name = f"imported-{once()[:8]}:1"
    shipway.ok("export", image, "-o", "fs.tar")

    made = shipway.ok(
        *("import", "fs.tar", name, "--worker", "two", "-c", 'CMD ["cat", "/word"]', "-c", "ENV PATH=/bin"),
        *("--message", "from a tar", "--platform", "linux/amd64"),
    ).strip()

    told = json.loads(shipway.ok("history", name, "--json"))
    assert [(line["id"], line["comment"]) for line in told] == [(made, "from a tar")]
    assert len(json.loads(shipway.ok("history", image, "--json"))) > 1
    assert inspected(fleet.two, name)["Config"]["Cmd"] == ["cat", "/word"]
    assert output_of(fleet.two, name) == output_of(fleet.one, image, "cat", "/word")


def test_import_takes_a_compressed_tar_on_standard_input_and_pushes_it(shipway: Shipway, fleet: Fleet) -> None:
    name = f"{fleet.registry.address}/imported/{once()[:8]}:1"

    done = shipway("import", "-", name, "--push", stdin=zstandard.compress(base_archive()))

    assert done.returncode == 0, done.stderr
    assert fleet.two.docker("pull", name).returncode == 0


BROKEN = {"empty": b"", "no archive": b"no archive at all" * 100, "tar of no image": tar_of({"a": b"a"})}


@pytest.mark.parametrize("what", [*BROKEN, "truncated", "truncated gzip"])
def test_archive_that_holds_no_whole_image_is_told_and_leaves_nothing(
    shipway: Shipway, fleet: Fleet, what: str
) -> None:
    archive = shipway.folder / "broken.tar"
    if what in BROKEN:
        archive.write_bytes(BROKEN[what])
    else:
        fleet.one.docker("save", "-o", archive, "base")
        whole = archive.read_bytes()
        packed = gzip.compress(whole, 1) if what.endswith("gzip") else whole
        archive.write_bytes(packed[: len(packed) // 2])

    with nothing_left(fleet.stack, fleet.one, fleet.two):
        done = shipway("load", "-i", archive, "--workers", "two")

    assert done.returncode == 1
    assert "(archive-invalid)" in done.stderr or "(archive-damaged)" in done.stderr, done.stderr


@pytest.mark.parametrize(("content", "slug"), [(b"", "archive-invalid"), (b"x" * 5000, "archive-invalid")])
def test_import_of_what_is_no_tar_is_told_and_leaves_nothing(
    shipway: Shipway, fleet: Fleet, content: bytes, slug: str
) -> None:
    write(shipway.folder, {"file": content})

    with nothing_left(fleet.stack, fleet.one, fleet.two):
        done = shipway("import", "file", "broken:1")

    assert (done.returncode, f"({slug})" in done.stderr) == (1, True), done.stderr


def test_import_refuses_what_docker_refuses(shipway: Shipway, fleet: Fleet) -> None:
    write(shipway.folder, {"fs.tar": base_archive()})

    with nothing_left(fleet.stack, fleet.one, fleet.two):
        change = shipway("import", "fs.tar", "refused:1", "-c", "NONSENSE a")
        platform = shipway("import", "fs.tar", "refused:1", "--platform", "plan9/amd64")

    assert "(change-refused)" in change.stderr
    assert "(platform-unsupported)" in platform.stderr


def test_save_of_thirty_images_of_which_one_is_gone_leaves_no_file(shipway: Shipway, fleet: Fleet) -> None:
    """One that the service knows nothing of, and one that went since it was told of it."""
    names = [f"many-{once()[:8]}:{number}" for number in range(30)]
    shipway.ok("tag", "base", *names, "--worker", "one")

    with nothing_left(fleet.stack, fleet.one, fleet.two):
        unknown = shipway("save", *names[:29], "never-there:1", "-o", "many.tar")
        fleet.one.docker("rmi", names[7])
        gone = shipway("save", *names, "-o", "many.tar", "--worker", "one")

    assert (unknown.returncode, "never-there:1 (image-unknown)" in unknown.stderr) == (1, True), unknown.stderr
    assert (gone.returncode, "(image-missing)" in gone.stderr, names[7] in gone.stderr) == (1, True, True)
    assert list(shipway.folder.glob("*many.tar*")) == []


def test_output_that_can_not_be_written_is_told_before_anything_runs(shipway: Shipway, fleet: Fleet) -> None:
    done = shipway("save", "base", "-o", "no/such/folder/app.tar")

    assert (done.returncode, "(output-unwritable)" in done.stderr) == (1, True)


def _content(archive: Path) -> dict[str, tuple[bytes, int, int, str]]:
    """Type, mode, size and link of every path."""
    with tarfile.open(archive) as tar:
        return {m.name: (m.type, m.mode, m.size, m.linkname) for m in tar}
