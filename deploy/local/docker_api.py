"""The few calls of the Docker Engine API that the local stack and `make pin` make, over a unix socket or TCP."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from deploy.local.plain_http import PLAIN
from deploy.local.processes import PartError

DEFAULT_HOST = "unix:///var/run/docker.sock"
_PIECE = 2**18
"""Bytes sent at once. httpcore copies the rest of what it was given with every write: 215 MB in one took minutes."""


class DockerAPI:
    """A client of the daemon at `host`, an address as DOCKER_HOST takes it (`unix://…`, `tcp://host:port`)."""

    def __init__(self, host: str) -> None:
        self.host = host
        parts = urlsplit(host)
        if parts.scheme == "unix":
            self._socket: str | None = parts.path
            self._base = "http://docker"
        else:
            self._socket = None
            self._base = f"http://{parts.netloc}"

    def ping(self) -> bool:
        """Whether the daemon answers."""
        try:
            return self._client(timeout=5).get("/_ping").is_success
        except (httpx.HTTPError, ValueError):
            return False

    def version(self) -> str:
        """Return the engine's version, such as `20.10.24`; raises httpx.HTTPError."""
        version: str = self._client().get("/version").raise_for_status().json()["Version"]
        return version

    def import_image(self, archive: bytes, name: str, tag: str, changes: Iterable[str] = ()) -> str:
        """Make an image of one layer from a tar; return its id.

        Raises:
            PartError: the daemon refused it.
        """
        query = {"fromSrc": "-", "repo": name, "tag": tag, "changes": list(changes)}
        answer = self._client(timeout=60).post("/images/create", params=query, content=_pieces(archive))
        # Errors after the headers come inside a 200 stream, as JSON lines.
        last = json.loads(answer.text.strip().splitlines()[-1])
        if not answer.is_success or "status" not in last:
            raise PartError(f"the daemon at {self.host} did not take the image: {answer.text.strip()}")
        image_id: str = last["status"]
        return image_id

    def digest(self, image: str) -> str:
        """Return the digest that an image's name leads to, as its registry says now: `sha256:…`.

        Raises:
            PartError: the registry does not tell.
            httpx.HTTPError: the daemon does not answer.
        """
        answer = self._client(timeout=60).get(f"/distribution/{image}/json")
        if not answer.is_success:
            raise PartError(f"the digest of {image} is not to be had: {answer.text.strip()}")
        digest: str = answer.json()["Descriptor"]["digest"]
        return digest

    def kill_containers(self) -> None:
        """SIGKILL every running container, as far as the daemon answers."""
        with suppress(httpx.HTTPError, ValueError), self._client(timeout=5) as client:
            for container in client.get("/containers/json").raise_for_status().json():
                client.post(f"/containers/{container['Id']}/kill")

    def _client(self, timeout: float = 30) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=self._socket, verify=PLAIN["verify"])
        return httpx.Client(transport=transport, base_url=self._base, timeout=timeout, trust_env=False)


def _pieces(archive: bytes) -> Iterator[bytes]:
    return (archive[start : start + _PIECE] for start in range(0, len(archive), _PIECE))
