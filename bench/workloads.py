"""The trees that are built: always the same bytes for the same generation, and no byte of them compresses."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local import base_image

MIB = 2**20
_PER_FOLDER = 100
_DOCKERFILE = f"""\
FROM {base_image.REFERENCE}
COPY . /app
RUN find /app -type f | wc -l > /files
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a tree looks.

    Attributes:
        name: as it stands in the table.
        files: how many there are beside the Dockerfile.
        mean: bytes of a file on average; sizes are spread evenly from 1 to twice that, a lone file has exactly this.
    """

    name: str
    files: int
    mean: int


SMALL = Shape("small", 10, 2_000)
WIDE = Shape("wide", 10_000, 20_000)
HEAVY = Shape("heavy", 1, 1024 * MIB)
QUICK_WIDE = Shape("wide (quick: 1,000 files)", 1_000, 20_000)
QUICK_HEAVY = Shape("heavy (quick: 64 MiB)", 1, 64 * MIB)


class Tree:
    """A directory of one shape, with a Dockerfile that copies all of it."""

    def __init__(self, root: Path, shape: Shape) -> None:
        self.root = root
        self.shape = shape
        self._generation = 0
        self._change = 0

    def renew(self) -> None:
        """Write the whole tree anew, every byte different from all before: no cache anywhere has seen it."""
        self._generation += 1
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        (self.root / "Dockerfile").write_text(_DOCKERFILE)
        chance = random.Random(f"{self.shape.name} {self._generation}")
        for path, size in self._files(chance):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_noise(path, size, chance)
        _settle()

    def change_one(self) -> None:
        """Rewrite one file, always the same one, with content of the same size that was never there before."""
        self._change += 1
        path = self._path(self.shape.files // 2)
        write_noise(path, path.stat().st_size, random.Random(f"change {self._generation} {self._change}"))
        _settle()

    def remove(self) -> None:
        """Free the disk."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _files(self, chance: random.Random) -> Iterator[tuple[Path, int]]:
        for number in range(self.shape.files):
            size = self.shape.mean if self.shape.files == 1 else chance.randint(1, 2 * self.shape.mean)
            yield self._path(number), size

    def _path(self, number: int) -> Path:
        return self.root / f"part{number // _PER_FOLDER:03}" / f"file{number % _PER_FOLDER:02}.bin"


def write_noise(path: Path, size: int, chance: random.Random) -> None:
    """Write random bytes, a MiB at a time."""
    with path.open("wb") as file:
        while size:
            piece = min(size, MIB)
            file.write(chance.randbytes(piece))
            size -= piece


def _settle() -> None:
    """Have the disk write what is waiting now, not while somebody is timed."""
    os.sync()
