"""Two workers on two daemons, and what the tests of moving images ask them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from deploy.local.dockerd import Dockerd
from deploy.local.registry import Registry
from deploy.local.stack import Stack


class Fleet(NamedTuple):
    """A stack with the workers `one` and `two`, each on a daemon of its own."""

    stack: Stack
    registry: Registry
    one: Dockerd
    two: Dockerd


def inspected(daemon: Dockerd, image: str) -> dict[str, Any]:
    """What a daemon itself says of an image that it must have."""
    told = daemon.docker("image", "inspect", image)
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)[0]
    return found


def image_id(daemon: Dockerd, image: str) -> str:
    """The id of an image that a daemon must have."""
    return str(inspected(daemon, image)["Id"])


def output_of(daemon: Dockerd, image: str, *command: str) -> str:
    """What a command prints in a container of an image."""
    ran = daemon.docker("run", "--rm", "--network=none", image, *command)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
