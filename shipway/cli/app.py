"""The commands and their options: Docker's own names where Docker has them.

Only typer is imported here. Each command imports what it needs: httpx, pydantic and rich together take longer
than `shipway --help` may.
"""
# ruff: noqa: PLC0415  (imports inside the commands, see above)

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shipway import __version__
from shipway.cli import access_commands, arguments, image_commands, move_commands, webhook_commands
from shipway.cli.parameters import Detach, Json, Priority, Progress, ProgressChoice, Timeout, Worker, limit
from shipway.cli.text import safe_lines
from shipway.exceptions import ShipwayError

if TYPE_CHECKING:
    from typer.models import CommandInfo

    from shipway.client.options import BuildKeywords

INTERRUPTED = 130
"""What shells report for a command ended by Ctrl-C."""

app = typer.Typer(
    name="shipway",
    help="Build container images on the machines that have Docker, from one that need not.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Rich takes 0.2 s to draw a help page.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class BuilderChoice(StrEnum):
    """Which of the daemon's builders is used."""

    BUILDKIT = "buildkit"
    CLASSIC = "classic"


JobId = Annotated[str, typer.Argument(metavar="ID", show_default=False, help="Id of the job.")]


@app.callback()
def options(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Option(help="URL of the service. [default: SHIPWAY_URL, or the configuration file]")
    ] = None,
) -> None:
    """Build container images on the machines that have Docker, from one that need not."""
    context.obj = url


@app.command()
def build(
    context: typer.Context,
    path: Annotated[
        str, typer.Argument(metavar="PATH|URL|-", help="Directory, URL, or - for a tar or a Dockerfile.")
    ] = ".",
    tags: Annotated[list[str] | None, typer.Option("--tag", "-t", metavar="NAME", help="Name for the image.")] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="Dockerfile, or - for standard input.")
    ] = None,
    build_arg: Annotated[list[str] | None, typer.Option(metavar="NAME[=VALUE]", help="Build-time variable.")] = None,
    target: Annotated[str | None, typer.Option(metavar="STAGE", help="Stage to stop at.")] = None,
    secret: Annotated[
        list[str] | None, typer.Option(metavar="id=ID[,src=FILE|,env=NAME]", help="Secret for RUN --mount.")
    ] = None,
    ssh: Annotated[
        list[str] | None,
        typer.Option(metavar="ID[=SOCKET|KEYFILE]", help="Agent here, or private key, for RUN --mount=type=ssh."),
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Label for the image.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step anew.")] = False,
    pull: Annotated[bool, typer.Option("--pull", help="Look for newer base images.")] = False,
    push: Annotated[bool, typer.Option("--push", help="Push every name to its registry.")] = False,
    platform: Annotated[str | None, typer.Option(metavar="OS/ARCH", help="Platform to build for.")] = None,
    network: Annotated[str | None, typer.Option(metavar="MODE", help="Network of RUN steps.")] = None,
    add_host: Annotated[list[str] | None, typer.Option(metavar="HOST:IP", help="Line for /etc/hosts.")] = None,
    cache_from: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Image to take cached steps from.")
    ] = None,
    build_context: Annotated[
        list[str] | None, typer.Option(metavar="NAME=SOURCE", help="Further context: PATH, URL or docker-image://NAME.")
    ] = None,
    provenance: Annotated[
        str | None, typer.Option(metavar="true|mode=max", help="Attest how the image was built.")
    ] = None,
    sbom: Annotated[
        str | None, typer.Option(metavar="true|generator=IMAGE", help="Attest what is in the image.")
    ] = None,
    builder: Annotated[BuilderChoice, typer.Option(help="Builder of the daemon.")] = BuilderChoice.BUILDKIT,
    worker: Worker = None,
    timeout: Timeout = None,
    priority: Priority = None,
    progress: Progress = ProgressChoice.AUTO,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but the image's id.")] = False,
    detach: Detach = False,
    iidfile: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the image's id here.")] = None,
    metadata_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what came of it here, as JSON.")
    ] = None,
) -> None:
    """Build an image, here or from standard input, and maybe push it."""
    if detach and (iidfile or metadata_file or quiet):
        raise typer.BadParameter("with --detach there is no image yet for --iidfile, --metadata-file or --quiet")
    try:
        agents = arguments.ssh(ssh or [])
        if detach and agents.agents:
            raise typer.BadParameter("with --detach nobody would answer for an ssh agent here; name a private key")
        wanted: BuildKeywords = {
            "tags": tags or [],
            "push": push,
            "build_args": arguments.build_args(build_arg or []),
            "target": target,
            "platform": platform,
            "labels": arguments.labels(label or []),
            "no_cache": no_cache,
            "pull": pull,
            "network": network,
            "extra_hosts": add_host or [],
            "cache_from": arguments.cache_from(cache_from or []),
            "builder": builder.value,
            "provenance": arguments.provenance(provenance),
            "sbom": arguments.sbom(sbom),
            "secrets": arguments.secrets(secret or []),
            "ssh": agents.keys,
            "agents": list(agents.agents),
            "worker": worker,
        }
        limit(wanted, timeout, priority, detach=detach)
        if build_context:
            wanted["build_contexts"] = arguments.build_contexts(build_context)
    except arguments.ArgumentError as fault:
        raise typer.BadParameter(str(fault)) from None
    from shipway.cli.building import BuildCommand, run_build
    from shipway.cli.session import Manner

    manner = Manner(context.obj, progress.value, quiet, detach)
    command = BuildCommand(path, wanted, file, manner, iidfile, metadata_file, agents.agents)
    raise typer.Exit(run_build(command))


# A group without a name: its commands are this one's own.
app.add_typer(move_commands.app)
app.add_typer(image_commands.app)
app.add_typer(access_commands.app)
app.add_typer(webhook_commands.app, name="webhook")


@app.command()
def logs(
    context: typer.Context,
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
) -> None:
    """Print what a job's steps wrote."""
    from shipway.cli.listing import show_log

    raise typer.Exit(show_log(context.obj, job_id, follow=follow))


@app.command()
def ps(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Jobs that are over, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    from shipway.cli.listing import list_jobs

    raise typer.Exit(list_jobs(context.obj, all_states=every, limit=limit, as_json=as_json))


@app.command()
def show(context: typer.Context, job_id: JobId, as_json: Json = False) -> None:
    """Show a job: state, steps, results."""
    from shipway.cli.listing import show_job

    raise typer.Exit(show_job(context.obj, job_id, as_json=as_json))


@app.command()
def cancel(context: typer.Context, job_id: JobId) -> None:
    """Cancel a job."""
    from shipway.cli.listing import cancel_job

    raise typer.Exit(cancel_job(context.obj, job_id))


@app.command()
def workers(context: typer.Context, as_json: Json = False) -> None:
    """List the workers and what they do."""
    from shipway.cli.listing import list_workers

    raise typer.Exit(list_workers(context.obj, as_json=as_json))


@app.command()
def top(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    as_json: Json = False,
) -> None:
    """Watch the workers and your jobs, until q or Ctrl-C."""
    from shipway.cli.top import top as watching

    raise typer.Exit(watching(context.obj, once=once, as_json=as_json))


@app.command()
def version() -> None:
    """Print the version of this command."""
    typer.echo(f"shipway {__version__}")


def run() -> None:
    """Run the command line: exit code 0 for success, 1 for failure, 2 for wrong usage, 130 after Ctrl-C."""
    _leave_out_others(app, set(sys.argv[1:]))
    try:
        app()
    except ShipwayError as fault:
        typer.echo(f"error: {safe_lines(fault.message)} ({fault.slug})", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _leave_out_others(group: typer.Typer, words: set[str]) -> None:
    """Keep only the commands that are named: typer makes parsers of all, which takes longer than many a command."""
    groups = [group, *(one.typer_instance for one in group.registered_groups if one.typer_instance)]
    if any(_name(command) in words for one in groups for command in one.registered_commands):
        for one in groups:
            one.registered_commands = [command for command in one.registered_commands if _name(command) in words]


def _name(command: CommandInfo) -> str:
    return command.name or (command.callback.__name__ if command.callback else "")
