"""How much the peak memory of service and worker grows while much passes through them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.jobs import Api
from bench.lab import Lab, say
from bench.moves import make_image
from bench.report import Row, Score, Unit
from bench.workloads import MIB, write_noise

GOAL = 100 * 10**6
"""Bytes that each may grow."""
CONTEXT, QUICK_CONTEXT = 2048 * MIB, 256 * MIB
IMAGE, QUICK_IMAGE = 1024 * MIB, 128 * MIB
_PROC = Path("/proc")
_RESET_PEAK = "5"
"""proc(5), clear_refs: sets the peak of the resident set back to what it is now."""


def measure(lab: Lab) -> Iterator[Row]:
    """A large context, uploaded and built; a large image, saved and loaded."""
    context, image = (QUICK_CONTEXT, QUICK_IMAGE) if lab.quick else (CONTEXT, IMAGE)
    with Api(lab.stack.service.url, lab.stack.token) as api:
        yield from _Memory(lab, api).rows(context, image)


class _Memory:
    def __init__(self, lab: Lab, api: Api) -> None:
        self._lab = lab
        self._api = api
        self._archive = lab.folder / "image.tar"

    def rows(self, context: int, image: int) -> Iterator[Row]:
        self._warm()
        root = self._lab.folder / "large"
        root.mkdir()
        (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
        write_noise(root / "large.bin", context, random.Random("memory"))
        digest = ""

        def upload() -> None:
            nonlocal digest
            digest = self._api.upload_context(root)

        yield from self._grown(f"upload a context of {context // MIB} MiB", upload)
        (root / "large.bin").unlink()
        build = {"context": digest, "tags": ["memory:bench"]}
        yield from self._grown("build it", lambda: self._api.do("/v1/builds", build))
        yield from self._images(image)

    def _images(self, size: int) -> Iterator[Row]:
        name = "memory/image"
        make_image(self._lab, name, size, seed=name)
        self._api.await_image(f"{name}:bench")

        def save() -> None:
            job = self._api.do("/v1/saves", {"images": [f"{name}:bench"]})
            self._api.download_archive(job.id, self._archive)

        def load() -> None:
            self._api.do("/v1/loads", {"artifact": self._api.upload_archive(self._archive)})

        yield from self._grown(f"save an image of {size // MIB} MiB", save)
        self._lab.dockerd.docker("image", "rm", "--force", f"{name}:bench")
        yield from self._grown(f"load an image of {size // MIB} MiB", load)

    def _warm(self) -> None:
        """Let every process import and allocate what even the smallest job needs."""
        root = self._lab.folder / "tiny"
        root.mkdir()
        (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
        for number in range(4):  # more than the pool has processes
            (root / "file").write_text(str(number))
            self._api.do("/v1/builds", {"context": self._api.upload_context(root), "tags": ["memory:tiny"]})

    def _grown(self, what: str, work: Callable[[], object]) -> Iterator[Row]:
        say(f"memory: {what}")
        worker, *_ = self._lab.stack.workers.values()
        peaks = {"service": Peak(self._lab.stack.service.child.pid), "worker": Peak(worker.child.pid)}
        work()
        for process, peak in peaks.items():
            yield Row(f"{what}: {process} grows by", "", [peak.growth], [], GOAL, Score.VALUE, Unit.BYTES)


class Peak:
    """Watches a process and its descendants from now on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = {}
        for member in _family(pid):
            (_PROC / str(member) / "clear_refs").write_text(_RESET_PEAK)
            self._before[member] = _status(member, "VmHWM")

    @property
    def growth(self) -> int:
        """By how many bytes the peaks of all are above what they had, a new process counting fully.

        At least what the sum of them grew at any moment: their peaks need not fall together.
        """
        return sum(_status(member, "VmHWM") - self._before.get(member, 0) for member in _family(self._pid))


def _family(pid: int) -> list[int]:
    members = [pid]
    for member in members:
        for children in (_PROC / str(member) / "task").glob("*/children"):
            members += map(int, children.read_text().split())
    return members


def _status(pid: int, field: str) -> int:
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0
