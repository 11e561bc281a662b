"""The commands that make images in other ways than a build, with Docker's names and flags."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from typing import TYPE_CHECKING

from shipway.cli.arguments import copies
from shipway.cli.command import ArgumentError, argument, optional_argument, switch, text, texts
from shipway.cli.parameters import CHANGE, CONTAINER, MESSAGE, PLATFORM, PUSH, TAGS, WORKER, DetachableCommand

if TYPE_CHECKING:
    from shipway.client.move_options import CommitKeywords, ImportKeywords


class Commit(DetachableCommand):
    """Make an image of a container: one started from IMAGE and changed, or one that is on a worker."""

    image = optional_argument("IMAGE", about="Image to start from.")
    tags = TAGS
    container = CONTAINER
    commands = texts("--run", metavar="COMMAND", about="Command to run, in order.")
    copy = texts("--copy", metavar="SRC:DST", about="Local files to copy in first.")
    change = CHANGE
    author = text("--author", "-a", metavar="TEXT", about="Who made it.", default="")
    message = MESSAGE
    pause = switch("--pause", "-p", about="Pause the container meanwhile. [default: pause]")
    push = PUSH
    worker = WORKER

    def run(self) -> int:
        """See `Command`."""
        if (self.image is None) == (self.container is None):
            raise ArgumentError("give either an IMAGE to start from or --container with --worker")
        wanted: CommitKeywords = {
            "image": self.image,
            "container": self.container,
            "run": self.commands,
            "changes": self.change,
            "author": self.author,
            "message": self.message,
            "pause": self.pause,
            "tags": self.tags,
            "push": self.push,
            "worker": self.worker,
        }
        self.limit(wanted)
        files = copies(self.copy)
        from shipway.cli.moving import run_commit

        return run_commit(self.manner, wanted, files)


class Import(DetachableCommand):
    """Make an image, without history, of a filesystem's tar."""

    source = argument("FILE|URL|-", about="Tar of a filesystem.")
    name = optional_argument("NAME", about="Name for the image.")
    tags = TAGS
    change = CHANGE
    message = MESSAGE
    platform = PLATFORM
    push = PUSH
    worker = WORKER

    def run(self) -> int:
        """See `Command`."""
        wanted: ImportKeywords = {
            "changes": self.change,
            "message": self.message,
            "platform": self.platform,
            "tags": [*([self.name] if self.name else []), *self.tags],
            "push": self.push,
            "worker": self.worker,
        }
        self.limit(wanted)
        from shipway.cli.moving import run_import

        return run_import(self.manner, self.source, wanted)
