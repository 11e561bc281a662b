"""The commands that make images in other ways than a build, and those that move them: Docker's names and flags."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from shipway.cli import arguments
from shipway.cli.parameters import (
    Change,
    Compression,
    CompressionChoice,
    Detach,
    Platform,
    Priority,
    Progress,
    ProgressChoice,
    Push,
    Quiet,
    Timeout,
    Worker,
    Workers,
    limit,
)

if TYPE_CHECKING:
    from shipway.client.move_options import (
        CommitKeywords,
        ExportKeywords,
        ImportKeywords,
        LoadKeywords,
        PruneKeywords,
        PullKeywords,
        PushKeywords,
        SaveKeywords,
    )
    from shipway.client.move_options import Workers as Choice

app = typer.Typer(rich_markup_mode=None)

Tags = Annotated[list[str] | None, typer.Option("--tag", "-t", metavar="NAME", help="Name for the image.")]
Container = Annotated[
    str | None, typer.Option(metavar="NAME", help="A container on the worker named, in place of an image.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write. [default: standard output]")
]


@app.command()
def commit(
    context: typer.Context,
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="Image to start from.")] = None,
    tags: Tags = None,
    container: Container = None,
    run: Annotated[list[str] | None, typer.Option(metavar="COMMAND", help="Command to run, in order.")] = None,
    copy: Annotated[list[str] | None, typer.Option(metavar="SRC:DST", help="Local files to copy in first.")] = None,
    change: Change = None,
    author: Annotated[str, typer.Option("--author", "-a", help="Who made it.")] = "",
    message: Annotated[str, typer.Option("--message", "-m", help="Word about it, for its history.")] = "",
    pause: Annotated[bool, typer.Option("--pause/--no-pause", "-p", help="Pause the container meanwhile.")] = True,
    push: Push = False,
    worker: Worker = None,
    timeout: Timeout = None,
    priority: Priority = None,
    progress: Progress = ProgressChoice.AUTO,
    quiet: Quiet = False,
    detach: Detach = False,
) -> None:
    """Make an image of a container: one started from IMAGE and changed, or one that is on a worker."""
    if (image is None) == (container is None):
        raise typer.BadParameter("give either an IMAGE to start from or --container with --worker")
    with _usage():
        wanted: CommitKeywords = {
            "image": image,
            "container": container,
            "run": run or [],
            "changes": change or [],
            "author": author,
            "message": message,
            "pause": pause,
            "tags": tags or [],
            "push": push,
            "worker": worker,
        }
        limit(wanted, timeout, priority, detach=detach)
        copies = arguments.copies(copy or [])
    from shipway.cli.moving import run_commit
    from shipway.cli.session import Manner

    raise typer.Exit(run_commit(Manner(context.obj, progress.value, quiet, detach), wanted, copies))


@app.command("import")
def import_(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FILE|URL|-", show_default=False, help="Tar of a filesystem.")],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Name for the image.")] = None,
    tags: Tags = None,
    change: Change = None,
    message: Annotated[str, typer.Option("--message", "-m", help="Word about it, for its history.")] = "",
    platform: Platform = None,
    push: Push = False,
    worker: Worker = None,
    timeout: Timeout = None,
    priority: Priority = None,
    progress: Progress = ProgressChoice.AUTO,
    quiet: Quiet = False,
    detach: Detach = False,
) -> None:
    """Make an image, without history, of a filesystem's tar."""
    with _usage():
        wanted: ImportKeywords = {
            "changes": change or [],
            "message": message,
            "platform": platform,
            "tags": [*([name] if name else []), *(tags or [])],
            "push": push,
            "worker": worker,
        }
        limit(wanted, timeout, priority, detach=detach)
    from shipway.cli.moving import run_import
    from shipway.cli.session import Manner

    raise typer.Exit(run_import(Manner(context.obj, progress.value, quiet, detach), source, wanted))


@app.command()
def save(
    context: typer.Context,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", show_default=False, help="Images to save.")],
    output: Output = None,
    compression: Compression = CompressionChoice.NONE,
    worker: Worker = None,
    timeout: Timeout = None,
    priority: Priority = None,
    progress: Progress = ProgressChoice.AUTO,
    quiet: Quiet = False,
) -> None:
    """Save images to an archive, for `shipway load` or `docker load`."""
    wanted: SaveKeywords = {"compression": compression.value, "worker": worker}
    with _usage():
        limit(wanted, timeout, priority)
    from shipway.cli.archiving import run_save
    from shipway.cli.session import Manner

    raise typer.Exit(run_save(Manner(context.obj, progress.value, quiet), images, output, wanted))


@app.command()
def load(
    context: typer.Context,
    source: Annotated[
        Path | None, typer.Option("--input", "-i", metavar="FILE", help="Archive to read. [default: standard input]")
    ] = None,
    workers: Workers = "any",
    timeout: Timeout = None,
    priority: Priority = None,
    progress: Progress = ProgressChoice.AUTO,
    quiet: Quiet = False,
    detach: Detach = False,
) -> None:
    """Load images from an archive made by `shipway save` or `docker save`."""
    with _usage():
        wanted: LoadKeywords = {"workers": _choice(workers)}
        limit(wanted, timeout, priority, detach=detach)
    from shipway.cli.archiving import run_load
    from shipway.cli.session import Manner

    manner = Manner(context.obj, progress.value, quiet, detach)
    raise typer.Exit(run_load(manner, source, wanted))


@app.command()
def export(
    context: typer.Context,
    image: Annotated[str | None, typer.Argument(metavar="IMAGE", help="Image whose files are wanted.")] = None,
    output: Output = None,
    container: Container = None,
    compression: Compression = CompressionChoice.NONE,
    worker: Worker = None,
    timeout: Timeout = None,
    priority: Priority = None,
    progress: Progress = ProgressChoice.AUTO,
    quiet: Quiet = False,
) -> None:
    """Write the filesystem of an image, or of a container on a worker, to a tar."""
    if (image is None) == (container is None):
        raise typer.BadParameter("give either an IMAGE or --container with --worker")
    with _usage():
        wanted: ExportKeywords = {
            "image": image,
            "container": container,
            "compression": compression.value,
            "worker": worker,
        }
        limit(wanted, timeout, priority)
    from shipway.cli.archiving import run_export
    from shipway.cli.session import Manner

    raise typer.Exit(run_export(Manner(context.obj, progress.value, quiet), output, wanted))


@app.command()
def push(
    context: typer.Context,
    image: Annotated[str, typer.Argument(metavar="IMAGE", show_default=False, help="Image that a worker has.")],
    tags: Annotated[
        list[str] | None, typer.Option("--tag", "-t", metavar="NAME", help="Name to push it by, in place of its own.")
    ] = None,
    all_tags: Annotated[bool, typer.Option("--all-tags", "-a", help="Push all names of the repository IMAGE.")] = False,
    worker: Worker = None,
    timeout: Timeout = None,
    priority: Priority = None,
    progress: Progress = ProgressChoice.AUTO,
    quiet: Quiet = False,
    detach: Detach = False,
) -> None:
    """Push an image to its registry, or to several by other names."""
    if all_tags and tags:
        raise typer.BadParameter("give either --all-tags or names by --tag")
    wanted: PushKeywords = {"tags": tags or [], "worker": worker}
    with _usage():
        limit(wanted, timeout, priority, detach=detach)
    from shipway.cli.moving import run_push, run_push_all
    from shipway.cli.session import Manner

    manner = Manner(context.obj, progress.value, quiet, detach)
    raise typer.Exit((run_push_all if all_tags else run_push)(manner, image, wanted))


@app.command()
def pull(
    context: typer.Context,
    image: Annotated[str, typer.Argument(metavar="IMAGE", show_default=False, help="Image in a registry.")],
    workers: Workers = "any",
    platform: Platform = None,
    timeout: Timeout = None,
    priority: Priority = None,
    progress: Progress = ProgressChoice.AUTO,
    quiet: Quiet = False,
    detach: Detach = False,
) -> None:
    """Pull an image onto workers, at the same time."""
    with _usage():
        wanted: PullKeywords = {"workers": _choice(workers), "platform": platform}
        limit(wanted, timeout, priority, detach=detach)
    from shipway.cli.moving import run_pull
    from shipway.cli.session import Manner

    manner = Manner(context.obj, progress.value, quiet, detach)
    raise typer.Exit(run_pull(manner, image, wanted))


@app.command()
def prune(
    context: typer.Context,
    workers: Workers = "all",
    keep_storage: Annotated[str, typer.Option(metavar="SIZE", help="Cache to keep on each: 10GB, 512MB.")] = "0",
    timeout: Timeout = None,
    priority: Priority = None,
    progress: Progress = ProgressChoice.AUTO,
    quiet: Quiet = False,
    detach: Detach = False,
) -> None:
    """Remove build cache and images without a name from workers."""
    with _usage():
        wanted: PruneKeywords = {"workers": _choice(workers), "keep_bytes": arguments.size(keep_storage)}
        limit(wanted, timeout, priority, detach=detach)
    from shipway.cli.moving import run_prune
    from shipway.cli.session import Manner

    manner = Manner(context.obj, progress.value, quiet, detach)
    raise typer.Exit(run_prune(manner, wanted))


@contextmanager
def _usage() -> Iterator[None]:
    """Turn what is wrong with an argument into a usage error."""
    try:
        yield
    except arguments.ArgumentError as fault:
        raise typer.BadParameter(str(fault)) from None


def _choice(text: str) -> Choice:
    return cast("Choice", arguments.workers(text))
