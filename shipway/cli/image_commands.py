"""The commands about images on workers, and about the workers that have them."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from shipway.cli.arguments import image_filters
from shipway.cli.command import Command, argument, flag, optional_argument, several, switch, texts
from shipway.cli.parameters import JSON, WORKER

IMAGE = argument("IMAGE", about="Name or id of an image.")
IMAGES = several("IMAGE...", about="Names or ids of images.")
NO_TRUNC = flag("--no-trunc", about="Cut nothing off.")
IDS = flag("--quiet", "-q", about="Print ids only.")
NAME = argument("NAME", about="Name of a worker.")


class Images(Command):
    """List the images on all workers: where, since when, how big."""

    name = optional_argument("NAME", about="Only this repository, or this image.")
    filters = texts("--filter", "-f", metavar="FILTER", about="dangling=true|false, or reference=PATTERN.")
    no_trunc = NO_TRUNC
    quiet = IDS
    json = JSON

    def run(self) -> int:
        """See `Command`."""
        wanted = image_filters(self.filters)
        from shipway.cli.picturing import list_images

        return list_images(self.url, self.name, wanted, as_json=self.json, quiet=self.quiet, no_trunc=self.no_trunc)


class History(Command):
    """Show how an image came about, newest line first."""

    image = IMAGE
    human = switch("--human", "-H", about="Sizes and times for people. [default: human]")
    no_trunc = NO_TRUNC
    quiet = IDS
    json = JSON
    worker = WORKER

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.picturing import ask_history, print_history

        lines = ask_history(self.url, self.image, self.worker)
        return print_history(lines, human=self.human, as_json=self.json, quiet=self.quiet, no_trunc=self.no_trunc)


class Inspect(Command):
    """Show what is known of images, as JSON."""

    images = IMAGES
    worker = WORKER

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.picturing import inspect_images

        return inspect_images(self.url, self.images, worker=self.worker)


class Tag(Command):
    """Give an image more names."""

    image = IMAGE
    names = several("NAME...", about="Further names.")
    worker = WORKER

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.moving import run_tag
        from shipway.cli.session import Manner

        return run_tag(Manner(self.url, quiet=True), self.image, self.names, self.worker)


class Rmi(Command):
    """Remove images, or names of them, from a worker."""

    images = IMAGES
    force = flag("--force", "-f", about="Also what containers or other names hold.")
    worker = WORKER

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.moving import Removal, run_remove
        from shipway.cli.session import Manner

        return run_remove(Manner(self.url, quiet=True), Removal(self.images, self.worker, self.force))


class Drain(Command):
    """Let a worker take no more jobs."""

    name = NAME

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.picturing import rest_worker

        return rest_worker(self.url, self.name, on=True)


class Resume(Command):
    """Let a worker take jobs again."""

    name = NAME

    def run(self) -> int:
        """See `Command`."""
        from shipway.cli.picturing import rest_worker

        return rest_worker(self.url, self.name, on=False)
