"""The commands about images on workers, and about the workers that have them."""
# ruff: noqa: PLC0415  (imports inside the commands, so that `--help` answers at once)

from __future__ import annotations

from typing import Annotated

import typer

from shipway.cli import arguments
from shipway.cli.parameters import Json, Worker

app = typer.Typer(rich_markup_mode=None)

Image = Annotated[str, typer.Argument(metavar="IMAGE", show_default=False, help="Name or id of an image.")]
Images = Annotated[list[str], typer.Argument(metavar="IMAGE...", show_default=False, help="Names or ids of images.")]
NoTrunc = Annotated[bool, typer.Option("--no-trunc", help="Cut nothing off.")]
Ids = Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.")]
WorkerName = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="Name of a worker.")]


@app.command()
def images(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this repository, or this image.")] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", "-f", metavar="FILTER", help="dangling=true|false, or reference=PATTERN."),
    ] = None,
    no_trunc: NoTrunc = False,
    quiet: Ids = False,
    as_json: Json = False,
) -> None:
    """List the images on all workers: where, since when, how big."""
    try:
        wanted = arguments.image_filters(filters or [])
    except arguments.ArgumentError as fault:
        raise typer.BadParameter(str(fault)) from None
    from shipway.cli.picturing import list_images

    raise typer.Exit(list_images(context.obj, name, wanted, as_json=as_json, quiet=quiet, no_trunc=no_trunc))


@app.command()
def history(
    context: typer.Context,
    image: Image,
    human: Annotated[bool, typer.Option("--human/--no-human", "-H", help="Sizes and times for people.")] = True,
    no_trunc: NoTrunc = False,
    quiet: Ids = False,
    as_json: Json = False,
    worker: Worker = None,
) -> None:
    """Show how an image came about, newest line first."""
    from shipway.cli.picturing import ask_history, print_history

    lines = ask_history(context.obj, image, worker)
    raise typer.Exit(print_history(lines, human=human, as_json=as_json, quiet=quiet, no_trunc=no_trunc))


@app.command()
def inspect(context: typer.Context, images: Images, worker: Worker = None) -> None:
    """Show what is known of images, as JSON."""
    from shipway.cli.picturing import inspect_images

    raise typer.Exit(inspect_images(context.obj, images, worker=worker))


@app.command()
def tag(
    context: typer.Context,
    image: Image,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False, help="Further names.")],
    worker: Worker = None,
) -> None:
    """Give an image more names."""
    from shipway.cli.moving import run_tag
    from shipway.cli.session import Manner

    raise typer.Exit(run_tag(Manner(context.obj, quiet=True), image, names, worker))


@app.command()
def rmi(
    context: typer.Context,
    images: Images,
    force: Annotated[bool, typer.Option("--force", "-f", help="Also what containers or other names hold.")] = False,
    worker: Worker = None,
) -> None:
    """Remove images, or names of them, from a worker."""
    from shipway.cli.moving import Removal, run_remove
    from shipway.cli.session import Manner

    raise typer.Exit(run_remove(Manner(context.obj, quiet=True), Removal(images, worker, force)))


@app.command()
def drain(context: typer.Context, name: WorkerName) -> None:
    """Let a worker take no more jobs."""
    from shipway.cli.picturing import rest_worker

    raise typer.Exit(rest_worker(context.obj, name, on=True))


@app.command()
def resume(context: typer.Context, name: WorkerName) -> None:
    """Let a worker take jobs again."""
    from shipway.cli.picturing import rest_worker

    raise typer.Exit(rest_worker(context.obj, name, on=False))
