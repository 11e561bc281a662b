"""Shipway and `docker build` make the same image filesystem of the same directory."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.stack import Stack
from shipway.client import Client
from shipway.models.job import JobState
from tests.integration.contexts import once
from tests.integration.http_api import HttpApi
from tests.integration.trees import everything, exception_behind_a_wildcard, random_tree

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])
SEEDS = range(15)
CURRENT = 28
"""An Engine whose BuildKit was seen to look into ignored directories when an exception has wildcards."""


class Found(NamedTuple):
    """One path of an image, as far as two builds of it can be the same."""

    type: str
    mode: int
    owner: tuple[int, int]
    size: int
    link: str
    digest: str


Filesystem = dict[str, Found]
Build = Callable[[Path, str], str | None]
"""Builds a directory with a builder; returns the image, or None when it failed."""


@pytest.fixture
def with_docker(dockerd: Dockerd) -> Build:
    """`docker build` itself."""

    def build(root: Path, builder: str) -> str | None:
        name = f"docker-{once()}"
        ran = subprocess.run(
            [dockerd.engine.program("docker"), "build", "--no-cache", "-t", name, root],
            env={**dockerd.cli_env, "DOCKER_BUILDKIT": "1" if builder == "buildkit" else "0"},
            capture_output=True,
            check=False,
        )
        return name if ran.returncode == 0 else None

    return build


@pytest.fixture
def with_sdk(stack: Stack) -> Iterator[Build]:
    """Shipway's client, which reads the directory and its `.dockerignore` itself."""
    with Client(stack.service.url, token=stack.token) as client:

        def build(root: Path, builder: str) -> str | None:
            name = f"sdk-{once()}"
            job = client.wait(client.build(root, tags=[name], builder=builder, no_cache=True).id)
            return name if job.state is JobState.SUCCEEDED else None

        yield build


@pytest.fixture
def with_tar(api: HttpApi) -> Build:
    """A tar of all that is there, made by GNU tar: what is ignored is for the server to leave out."""

    def build(root: Path, builder: str) -> str | None:
        name = f"tar-{once()}"
        archive = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True).stdout
        job = api.build(archive, tags=[name], builder=builder, no_cache=True)
        return name if job.state is JobState.SUCCEEDED else None

    return build


@BUILDERS
def test_every_sort_of_entry_comes_out_the_same(
    dockerd: Dockerd, tmp_path: Path, with_docker: Build, with_sdk: Build, with_tar: Build, builder: str
) -> None:
    everything(tmp_path)

    theirs, sdk, tar = (_files(dockerd, build(tmp_path, builder)) for build in (with_docker, with_sdk, with_tar))

    assert len(theirs) > 40
    assert sdk == theirs
    assert tar == theirs


@BUILDERS
def test_exception_behind_a_wildcard_brings_a_file_back_as_in_current_buildkit(
    dockerd: Dockerd, tmp_path: Path, with_docker: Build, with_sdk: Build, with_tar: Build, builder: str
) -> None:
    """Docker's own answers differ here: Engine 20.10, and the classic builder of all versions, don't look into an
    ignored directory unless an exception's text begins with its path. Shipway goes by the current BuildKit."""
    exception_behind_a_wildcard(tmp_path)

    theirs, sdk, tar = (_files(dockerd, build(tmp_path, builder)) for build in (with_docker, with_sdk, with_tar))

    assert "ctx/one/cache/keep" in sdk
    assert "ctx/one/cache/drop" not in sdk
    # A tar is filtered for BuildKit by what the daemon asks for, so there it is as the daemon has it.
    assert tar == sdk or (builder == "buildkit" and tar == theirs)
    if builder == "buildkit" and int(dockerd.api.version().split(".")[0]) >= CURRENT:
        assert sdk == theirs


@BUILDERS
@pytest.mark.parametrize("seed", SEEDS)
def test_random_tree_with_random_ignore_file_comes_out_the_same(
    dockerd: Dockerd,
    tmp_path: Path,
    with_docker: Build,
    with_sdk: Build,
    with_tar: Build,
    seed: int,
    builder: str,
) -> None:
    random_tree(tmp_path, seed)
    ours = with_sdk if seed % 2 else with_tar

    assert _files(dockerd, ours(tmp_path, builder)) == _files(dockerd, with_docker(tmp_path, builder))


def test_random_trees_differ_and_are_not_all_ignored(tmp_path: Path, dockerd: Dockerd, with_docker: Build) -> None:
    seen = set()
    for seed in (1, 2, 3):
        root = tmp_path / str(seed)
        root.mkdir()
        random_tree(root, seed)
        seen.add(frozenset(_files(dockerd, with_docker(root, "buildkit"))))

    assert len(seen) == 3
    assert any(seen)


def _files(dockerd: Dockerd, image: str | None) -> Filesystem:
    """What the layers of an image of `FROM scratch` hold; nothing for a build that failed."""
    if image is None:
        return {}
    saved = subprocess.run(
        [dockerd.engine.program("docker"), "save", image], env=dockerd.cli_env, capture_output=True, check=True
    ).stdout
    files: Filesystem = {}
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        for layer in json.loads(_content(archive, "manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(_content(archive, layer))) as members:
                files |= _layer(members)
    return files


def _layer(members: tarfile.TarFile) -> Filesystem:
    found: Filesystem = {}
    for member in members:
        name, owner = member.name.strip("/"), (member.uid, member.gid)
        if member.islnk():  # one file with two names or two equal files: a context does not tell them apart
            found[name] = found[member.linkname.strip("/")]
        elif member.isfile():
            content = members.extractfile(member)
            assert content is not None
            digest = hashlib.sha256(content.read()).hexdigest()
            found[name] = Found("file", member.mode, owner, member.size, "", digest)
        else:
            kind = "dir" if member.isdir() else "link" if member.issym() else "other"
            # The mode of a link means nothing and is written as 0777 or 0755 as it comes.
            found[name] = Found(kind, 0 if member.issym() else member.mode, owner, 0, member.linkname, "")
    return found


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()
