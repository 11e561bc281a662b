"""`make pin`: writes into the files of deploy/ which digest each image has that they name by its tag.

A tag leads wherever its owner moves it; a digest to one image. The Docker daemon (`DOCKER_HOST`) asks the registries.
Run it again to take what the tags lead to by then.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import httpx

from deploy.local.docker_api import DEFAULT_HOST, DockerAPI
from deploy.local.engine import REPOSITORY
from deploy.local.processes import PartError

FILES = (
    REPOSITORY / "docker-compose.yml",
    *sorted((REPOSITORY / "deploy").glob("*.Dockerfile")),
    *sorted((REPOSITORY / "deploy/kubernetes").glob("*.yaml")),
)
# Images without a tag are our own: kustomization.yaml names them.
_NAMED = re.compile(
    r"^(?P<before> *(?:- )?image: |ARG BASE=)(?P<image>[^\s@]+:[^\s@/]+)(?:@sha256:[0-9a-f]{64})?$", re.MULTILINE
)


def named(text: str) -> list[str]:
    """The images that a file names by a tag, without their digests."""
    return [found["image"] for found in _NAMED.finditer(text)]


def pin(api: DockerAPI, files: Iterable[Path]) -> dict[str, str]:
    """Write the digests of now into files, all or none; returns them by image.

    Raises:
        PartError: a registry does not tell the digest of an image.
        httpx.HTTPError: the daemon does not answer.
    """
    texts = {file: file.read_text() for file in files}
    digests = {
        image: api.digest(image) for image in sorted({image for text in texts.values() for image in named(text)})
    }
    for file, text in texts.items():
        pinned = _NAMED.sub(lambda found: f"{found['before']}{found['image']}@{digests[found['image']]}", text)
        if pinned != text:
            file.write_text(pinned)
    return digests


def main() -> int:
    """Pin, tell, and return the exit code."""
    try:
        digests = pin(DockerAPI(os.environ.get("DOCKER_HOST") or DEFAULT_HOST), FILES)
    except (PartError, httpx.HTTPError) as fault:
        print(f"pin: nothing was written: {fault}", file=sys.stderr)
        return 1
    for image, digest in digests.items():
        print(f"pin: {image}@{digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
