"""The commands that move images between workers and registries, and those that free space."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from shipway.cli import arguments
from shipway.cli.command import ArgumentError, argument, flag, text, texts
from shipway.cli.parameters import PLATFORM, WORKER, DetachableCommand, workers

if TYPE_CHECKING:
    from shipway.client.move_options import PruneKeywords, PullKeywords, PushKeywords
    from shipway.client.move_options import Workers as Choice


class Push(DetachableCommand):
    """Push an image to its registry, or to several by other names."""

    image = argument("IMAGE", about="Image that a worker has.")
    tags = texts("--tag", "-t", metavar="NAME", about="Name to push it by, in place of its own.")
    all_tags = flag("--all-tags", "-a", about="Push all names of the repository IMAGE.")
    worker = WORKER

    def run(self) -> int:
        """See `Command`."""
        if self.all_tags and self.tags:
            raise ArgumentError("give either --all-tags or names by --tag")
        wanted: PushKeywords = {"tags": self.tags, "worker": self.worker}
        self.limit(wanted)
        from shipway.cli.moving import run_push, run_push_all

        return (run_push_all if self.all_tags else run_push)(self.manner, self.image, wanted)


class Pull(DetachableCommand):
    """Pull an image onto workers, at the same time."""

    image = argument("IMAGE", about="Image in a registry.")
    workers = workers("any")
    platform = PLATFORM

    def run(self) -> int:
        """See `Command`."""
        wanted: PullKeywords = {"workers": cast("Choice", arguments.workers(self.workers)), "platform": self.platform}
        self.limit(wanted)
        from shipway.cli.moving import run_pull

        return run_pull(self.manner, self.image, wanted)


class Prune(DetachableCommand):
    """Remove build cache and images without a name from workers."""

    workers = workers("all")
    keep_storage = text("--keep-storage", metavar="SIZE", about="Cache to keep on each: 10GB, 512MB.", default="0")

    def run(self) -> int:
        """See `Command`."""
        wanted: PruneKeywords = {
            "workers": cast("Choice", arguments.workers(self.workers)),
            "keep_bytes": arguments.size(self.keep_storage),
        }
        self.limit(wanted)
        from shipway.cli.moving import run_prune

        return run_prune(self.manner, wanted)
