"""The containers of one daemon: those that jobs make for themselves, and those that are already there.

How a commit job runs commands: one container whose process is a `/bin/sh` that waits for input that never comes
(a `sleep` may not be in the image), and each command beside it, as `docker exec` does. So all commands and copied
files end up in one layer, and an image with nothing but a `/bin/sh` will do. Without commands the container is never
started, and an image with no file at all will do.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiodocker import DockerError

from shipway.exceptions import BuildUserError
from shipway.models.worker import StepLimits
from workers.engine import refusals
from workers.engine.api import DaemonApi
from workers.engine.contract import Sink
from workers.engine.execution import execute
from workers.engine.finishing import finish
from workers.engine.images import SLOW, Images
from workers.engine.limits import container_limits
from workers.engine.names import Owner, container_name, image_name, owned_name, owner_of
from workers.engine.undoing import made
from workers.engine.upload import Upload
from workers.engine.whole import whole_tar

SHELL = "/bin/sh"
REMOVING = 30.0
"""Seconds that removing a container may take: much, if it wrote much."""
UNCOMMITTING = 10.0
"""Seconds that a cancelled commit gets to end and be undone: about 2 GB of changes."""
_INHERITED = ("User", "ExposedPorts", "Env", "Labels", "Healthcheck", "WorkingDir", "Volumes", "StopSignal")
_NO_ENTRYPOINT = re.compile(r"\s*ENTRYPOINT\s*\[\s*\]\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ContainerDescription:
    """A container.

    Attributes:
        id: 64 hexadecimal digits.
        name: without the slash that Docker puts before it.
        image: as it was named when the container was made.
        image_id: `sha256:…`.
        state: `created`, `running`, `paused`, `exited`, `dead` …
        created: when, as RFC 3339.
    """

    id: str
    name: str
    image: str
    image_id: str
    state: str
    created: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OwnedContainer:
    """A container that a job made.

    Attributes:
        created: seconds since the epoch.
    """

    id: str
    owner: Owner
    created: int


class Containers:
    """The containers of one daemon.

    Every method raises BuildUserError `invalid-container-name` for a name that can't be one, `container-unknown` for
    a container that isn't there; BuildSystemError `container-failed`, `daemon-unreachable`, `daemon-lost`, `disk-full`.
    """

    def __init__(self, api: DaemonApi, limits: StepLimits | None = None) -> None:
        self._api = api
        self._limits = limits or StepLimits()
        self._images = Images(api)

    async def create(self, image: str, *, job: str, attempt: int, network: str | None = None) -> str:
        """Make a container for one attempt of a job, not started, and return its id.

        Its name tells whose it is. Labels would be the usual way, but a commit puts every label of the container into
        the image, and there is no way to keep one out.

        Raises:
            BuildUserError: there is no such image or network (`image-missing`, `network-unknown`).
        """
        config: dict[str, Any] = {
            "Image": image_name(image),
            "Entrypoint": [SHELL],
            "OpenStdin": True,
            "HostConfig": container_limits(self._limits) | ({"NetworkMode": network} if network else {}),
        }
        if (await self._images.inspect(image)).config.get("Healthcheck"):
            config["Healthcheck"] = {"Test": ["NONE"]}  # it would run beside the job's own commands
        query = [("name", owned_name(f"{job}-{attempt}"))]
        call = self._ask("POST", "containers/create", query, body=json.dumps(config).encode(), limit=SLOW)
        return str((await made(call, lambda told: self.remove(told["Id"]), limit=2.0))["Id"])

    async def start(self, container: str) -> None:
        """Start a container.

        Raises:
            BuildUserError: one of `create` has no shell to run (`shell-missing`), or one of another platform.
        """
        await self._ask("POST", f"containers/{container_name(container)}/start", limit=SLOW)

    async def run(self, container: str, command: str | Sequence[str], sink: Sink) -> int:
        """Run a command in a started container and return its exit code.

        User, working directory and environment are those of the image, as in a Dockerfile's RUN. If cancelled, the
        command goes on until the container is removed.

        Args:
            container: name or id.
            command: a line for `/bin/sh -c`, or a list of arguments.
            sink: takes the output as LogChunk.
        """
        argv = [SHELL, "-c", command] if isinstance(command, str) else command
        return await execute(self._api, container_name(container), argv, sink)

    async def copy_in(self, container: str, destination: str, chunks: AsyncIterator[bytes]) -> None:
        """Unpack a tar into a directory of a container, started or not.

        Raises:
            BuildUserError: there is no such directory (`copy-destination`), or the tar is broken (`archive-invalid`).
        """
        path, upload = f"containers/{container_name(container)}/archive", Upload(chunks)
        if not await upload.begin():
            raise refusals.archive_invalid("the archive of files to copy is empty")
        try:
            async with upload.to(self._api, "PUT", path, [("path", destination)]) as response:
                await response.read()
        except DockerError as error:
            raise refusals.of_copy(error, destination) from error

    async def commit(
        self,
        container: str,
        *,
        reference: str | None = None,
        changes: Sequence[str] = (),
        author: str = "",
        message: str = "",
        pause: bool = True,
        config: Mapping[str, Any] | None = None,
    ) -> str:
        """Make an image of a container and return its id.

        The daemon can't be stopped in this. If cancelled, it gets 10 s to end, and the image is removed again; the
        image of a commit that takes longer stays, without a name, until `prune`.

        Args:
            container: name or id.
            reference: a name for the image.
            changes: lines of a Dockerfile, as `docker commit --change` takes them.
            author: who made it.
            message: a word about it, for its history.
            pause: stop the container's processes meanwhile.
            config: for a container of `create`: the configuration of the image that it came from, which the new
                image gets again.

        Raises:
            BuildUserError: Docker refuses a change (`change-refused`).
        """
        if config is not None:
            changes = [change for change in changes if not _NO_ENTRYPOINT.fullmatch(change)]
        query = [("container", container_name(container)), ("pause", "1" if pause else "0")]
        query += [("author", author), ("comment", message), *(("changes", change) for change in changes)]
        body = json.dumps(_restored(config)).encode() if config is not None else None
        image = await made(self._commit(query, body), self._images.remove, limit=UNCOMMITTING)
        if reference is not None:
            await self._images.tag(image, reference)
        return image

    def export(self, container: str) -> AsyncGenerator[bytes, None]:
        """Stream the filesystem of a container as a tar. A reader that stops early closes the iterator.

        Raises (while iterating):
            BuildSystemError: the daemon ended the tar early (`archive-cut-short`).
        """
        return self._export(container_name(container))

    async def _export(self, container: str) -> AsyncGenerator[bytes, None]:
        try:
            async with (
                self._api.request("GET", f"containers/{container}/export") as response,
                aclosing(whole_tar(response)) as chunks,
            ):
                async for chunk in chunks:
                    yield chunk
        except DockerError as error:
            raise refusals.of_container(error) from error

    async def find(self, container: str) -> ContainerDescription | None:
        """Return what there is under a name or an id, or None."""
        try:
            told = await self._ask("GET", f"containers/{container_name(container)}/json")
        except BuildUserError as error:
            if error.slug != "container-unknown":
                raise
            return None
        return ContainerDescription(
            id=told["Id"],
            name=told["Name"].removeprefix("/"),
            image=told["Config"]["Image"],
            image_id=told["Image"],
            state=told["State"]["Status"],
            created=told["Created"],
            labels=told["Config"].get("Labels") or {},
        )

    async def remove(self, container: str) -> None:
        """Kill and remove a container and its unnamed volumes, also when cancelled meanwhile. None is no error.

        Meant for clean-up: what goes wrong is logged, and `workers.sweeping` tries again.
        """
        await finish(self._remove(container_name(container)), limit=REMOVING)

    async def owned(self) -> list[OwnedContainer]:
        """Return the containers that jobs made and nobody has removed."""
        filters = json.dumps({"name": ["^/?shipway-"]})
        told = await self._ask("GET", "containers/json", [("all", "1"), ("filters", filters)])
        found = ((line, owner_of(line["Names"][0])) for line in told if line["Names"])
        return [OwnedContainer(line["Id"], owner, line["Created"]) for line, owner in found if owner is not None]

    async def _commit(self, query: list[tuple[str, str]], body: bytes | None) -> str:
        try:
            return str((await self._api.json("POST", "commit", query=query, body=body, limit=SLOW))["Id"])
        except DockerError as error:
            raise refusals.of_commit(error) from error

    async def _remove(self, container: str) -> None:
        query = [("force", "1"), ("v", "1")]
        try:
            await self._api.json("DELETE", f"containers/{container}", query=query, limit=REMOVING)
        except DockerError as error:
            if error.status not in (refusals.NOT_FOUND, refusals.CONFLICT):  # gone, or going
                raise

    async def _ask(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        body: bytes | None = None,
        limit: float = 15.0,
    ) -> Any:
        try:
            return await self._api.json(method, path, query=query, body=body, limit=limit)
        except DockerError as error:
            raise refusals.of_container(error) from error


def _restored(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give an image back what `create` put something else for.

    Changes are made upon this, so it is all that a container inherits from its image (no ONBUILD: commits drop those).
    An empty list says "none"; a null would say "as the container has it".
    """
    inherited = {field: config[field] for field in _INHERITED if config.get(field)}
    return inherited | {"Entrypoint": config.get("Entrypoint") or [], "Cmd": config.get("Cmd") or []}
