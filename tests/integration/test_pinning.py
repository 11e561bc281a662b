"""Images in the files of deploy/ get the digests that their registry tells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.local import base_image
from deploy.local.dockerd import Dockerd
from deploy.local.processes import PartError
from deploy.local.registry import Registry
from deploy.pin import FILES, named, pin
from tests.integration.contexts import once
from tests.support.registered import registered

pytestmark = pytest.mark.engine_independent

OURS = {"shipway-service", "shipway-worker"}


def push(dockerd: Dockerd, repository: str) -> None:
    """Push an image that never was before as `repository:1`."""
    base_image.make(dockerd.api, repository, "1")
    container = dockerd.docker("create", f"{repository}:1").stdout.strip()
    dockerd.docker("commit", "--message", once(), container, f"{repository}:1")
    dockerd.docker("rm", container)
    pushed = dockerd.docker("push", f"{repository}:1")
    assert pushed.returncode == 0, pushed.stderr


def told(registry: Registry, repository: str) -> str:
    """The digest that the registry itself has for the tag `1`."""
    return registered(registry, repository.removeprefix(f"{registry.address}/"), "1")


def test_image_has_the_digest_of_its_registry_until_the_next_time(
    dockerd: Dockerd, registry: Registry, tmp_path: Path
) -> None:
    repository = f"{registry.address}/pinned-{once().lower()}"
    image = f"{repository}:1"
    texts = [f"  a:\n    image: {image}\n", f"ARG BASE={image}\nFROM ${{BASE}}\n", "  - image: shipway-worker\n"]
    files = [tmp_path / str(number) for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)

    for _ in range(2):
        push(dockerd, repository)
        pin(dockerd.api, files)
        digest = told(registry, repository)
        assert [file.read_text() for file in files] == [text.replace(image, f"{image}@{digest}") for text in texts]
        assert dockerd.docker("pull", f"{image}@{digest}").returncode == 0


def test_nothing_is_written_while_one_digest_is_not_to_be_had(
    dockerd: Dockerd, registry: Registry, tmp_path: Path
) -> None:
    file, image = tmp_path / "file", f"{registry.address}/pinned-{once().lower()}"
    push(dockerd, image)
    file.write_text(text := f"image: {image}:1\nimage: {image}:2\n")

    with pytest.raises(PartError, match=re.escape(f"{image}:2")):
        pin(dockerd.api, [file])

    assert file.read_text() == text


def test_every_image_of_deploy_that_is_not_ours_is_found() -> None:
    for file in FILES:
        text = file.read_text()
        every = set(re.findall(r"(?:^ *(?:- )?image:|^ARG BASE=) *([^@\s]+)", text, re.MULTILINE))

        assert set(named(text)) == every - OURS
    assert len({image for file in FILES for image in named(file.read_text())}) > 5
