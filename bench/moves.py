"""save, load, push and pull against the docker commands of those names, on the same daemon.

The peers start a command each time and Shipway doesn't: its commands for these jobs are still to come.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from itertools import count

from bench.jobs import Api
from bench.lab import Lab, say, timed
from bench.report import Row
from bench.workloads import MIB, write_noise

GOAL = 1.3
"""Of ours: nobody asked for more than that it be measured."""
SIZE, QUICK_SIZE = 256 * MIB, 32 * MIB
_PEER = "docker"


def measure(lab: Lab) -> Iterator[Row]:
    """Each move of an image of one layer of noise."""
    with Api(lab.stack.service.url, lab.stack.token) as api:
        yield from _Moves(lab, api).rows()


class _Moves:
    def __init__(self, lab: Lab, api: Api) -> None:
        self._lab = lab
        self._api = api
        self._size = QUICK_SIZE if lab.quick else SIZE
        self._archive = lab.folder / "image.tar"
        self._numbers = count()

    def rows(self) -> Iterator[Row]:
        name = self._image()
        self._api.await_image(name)
        yield self._row("save", lambda: self._save(name), lambda: self._docker("save", "-o", str(self._archive), name))
        self._docker("save", "-o", str(self._archive), name)
        yield self._row("load", lambda: self._load(name), lambda: self._docker_load(name))
        self._archive.unlink()
        yield self._row("push", self._push, self._docker_push)
        self._docker("push", name)
        yield self._row("pull", lambda: self._pull(name), lambda: self._docker_pull(name))
        self._forget(name)

    def _row(self, move: str, ours: Callable[[], float], theirs: Callable[[], float]) -> Row:
        say(f"moves: {move}")
        samples = self._lab.alternating({"shipway": ours, _PEER: theirs})
        return Row(f"{move} {self._size // MIB} MiB", f"docker {move}", samples["shipway"], samples[_PEER], GOAL)

    def _image(self) -> str:
        """Make an image that nobody has seen before."""
        number = next(self._numbers)
        name = f"{self._lab.registry.address}/moved/image{number}"
        make_image(self._lab, name, self._size, seed=f"moves {number}")
        return f"{name}:bench"

    def _docker(self, *words: str) -> float:
        return timed([self._lab.docker, *words], self._lab.docker_env)

    def _forget(self, name: str) -> None:
        self._docker("image", "rm", "--force", name)

    def _save(self, name: str) -> float:
        self._archive.unlink(missing_ok=True)
        began = time.monotonic()
        job = self._api.do("/v1/saves", {"images": [name]})
        self._api.download_archive(job.id, self._archive)
        return time.monotonic() - began

    def _load(self, name: str) -> float:
        self._forget(name)
        began = time.monotonic()
        self._api.do("/v1/loads", {"artifact": self._api.upload_archive(self._archive)})
        return time.monotonic() - began

    def _docker_load(self, name: str) -> float:
        self._forget(name)
        return self._docker("load", "--input", str(self._archive))

    def _push(self) -> float:
        name = self._image()
        self._api.await_image(name)
        began = time.monotonic()
        self._api.do("/v1/pushes", {"image": name})
        seconds = time.monotonic() - began
        self._forget(name)
        return seconds

    def _docker_push(self) -> float:
        name = self._image()
        seconds = self._docker("push", name)
        self._forget(name)
        return seconds

    def _pull(self, name: str) -> float:
        self._forget(name)
        began = time.monotonic()
        self._api.do("/v1/pulls", {"image": name})
        return time.monotonic() - began

    def _docker_pull(self, name: str) -> float:
        self._forget(name)
        return self._docker("pull", name)


def make_image(lab: Lab, name: str, size: int, *, seed: str) -> None:
    """Give the daemon an image of one layer that holds one file of noise; its tag is `bench`."""
    noise = lab.folder / "layer" / "noise.bin"
    noise.parent.mkdir(exist_ok=True)
    write_noise(noise, size, random.Random(seed))
    layer = lab.folder / "layer.tar"
    timed(["tar", "--create", "--file", str(layer), "--directory", str(noise.parent), noise.name], lab.docker_env)
    timed([lab.docker, "import", str(layer), f"{name}:bench"], lab.docker_env)
    layer.unlink()
    noise.unlink()
