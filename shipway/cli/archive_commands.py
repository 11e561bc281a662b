"""The commands that move images and filesystems as archives, with Docker's names and flags."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from shipway.cli import arguments
from shipway.cli.command import ArgumentError, choice, file, optional_argument, several
from shipway.cli.parameters import CONTAINER, WORKER, DetachableCommand, JobCommand, workers

if TYPE_CHECKING:
    from shipway.client.move_options import ExportKeywords, LoadKeywords, SaveKeywords
    from shipway.client.move_options import Workers as Choice

OUTPUT = file("--output", "-o", about="File to write. [default: standard output]")
COMPRESSION = choice("--compression", of=("none", "gzip", "zstd"), about="How to pack the archive.", default="none")


class Save(JobCommand):
    """Save images to an archive, for `shipway load` or `docker load`."""

    images = several("IMAGE...", about="Images to save.")
    output = OUTPUT
    compression = COMPRESSION
    worker = WORKER

    def run(self) -> int:
        """See `Command`."""
        wanted: SaveKeywords = {"compression": self.compression, "worker": self.worker}
        self.limit(wanted)
        from shipway.cli.archiving import run_save

        return run_save(self.manner, self.images, self.output, wanted)


class Load(DetachableCommand):
    """Load images from an archive made by `shipway save` or `docker save`."""

    source = file("--input", "-i", about="Archive to read. [default: standard input]")
    workers = workers("any")

    def run(self) -> int:
        """See `Command`."""
        wanted: LoadKeywords = {"workers": cast("Choice", arguments.workers(self.workers))}
        self.limit(wanted)
        from shipway.cli.archiving import run_load

        return run_load(self.manner, self.source, wanted)


class Export(JobCommand):
    """Write the filesystem of an image, or of a container on a worker, to a tar."""

    image = optional_argument("IMAGE", about="Image whose files are wanted.")
    output = OUTPUT
    container = CONTAINER
    compression = COMPRESSION
    worker = WORKER

    def run(self) -> int:
        """See `Command`."""
        if (self.image is None) == (self.container is None):
            raise ArgumentError("give either an IMAGE or --container with --worker")
        wanted: ExportKeywords = {
            "image": self.image,
            "container": self.container,
            "compression": self.compression,
            "worker": self.worker,
        }
        self.limit(wanted)
        from shipway.cli.archiving import run_export

        return run_export(self.manner, self.output, wanted)
