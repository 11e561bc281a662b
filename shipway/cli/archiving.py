"""The commands that move archives: `save`, `load`, `export`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import BinaryIO

from shipway.cli.command import ArgumentError
from shipway.cli.fleet import settle_all
from shipway.cli.loop_session import LoopSession, run_loop_session
from shipway.cli.naming import resolved
from shipway.cli.session import Manner
from shipway.cli.standard import standard_input
from shipway.cli.text import one_line, size
from shipway.client.move_options import ExportKeywords, LoadKeywords, SaveKeywords
from shipway.client.moves import check_load
from shipway.exceptions import ClientError
from shipway.models.job import Job, JobState


def run_save(manner: Manner, images: list[str], output: Path | None, options: SaveKeywords) -> int:
    """Save images to a file or to standard output; returns the exit code."""
    target = _target(output)

    async def save(session: LoopSession) -> int:
        names = [await session.unless_asked(resolved(session.client, image)) for image in images]
        return await _download(session, session.client.save(*names, **options), target)

    return run_loop_session(manner, save)


def run_export(manner: Manner, output: Path | None, options: ExportKeywords) -> int:
    """Export a filesystem to a file or to standard output; returns the exit code."""
    target = _target(output)

    async def export(session: LoopSession) -> int:
        wanted = options
        if (image := wanted.get("image")) is not None:
            name = await session.unless_asked(resolved(session.client, image))
            wanted = {**wanted, "image": name, "registries": await session.logins([name])}
        return await _download(session, session.client.export(**wanted), target)

    return run_loop_session(manner, export)


def run_load(manner: Manner, source: Path | None, options: LoadKeywords) -> int:
    """Load an archive from a file or from standard input; returns the exit code."""
    if source is None and sys.stdin.isatty():
        raise ArgumentError("requested load from stdin, but it is a terminal; give the archive with --input")

    async def load(session: LoopSession) -> int:
        check_load(options)
        archive = source or standard_input()
        sending = session.client.upload_artifact(archive, on_progress=session.display.uploading)
        jobs = await session.client.load(await session.unless_asked(sending), **options)
        if len(jobs) > 1:
            return await settle_all(session, jobs, _loaded)
        return await session.settle(jobs[0], lambda job: print("\n".join(_loaded(job))))

    return run_loop_session(manner, load, sending="archive")


def _target(output: Path | None) -> Path | BinaryIO:
    """Where an archive goes, checked before anything runs."""
    if output is None:
        if sys.stdout.isatty():
            raise ArgumentError("cowardly refusing to write an archive to a terminal; use --output or redirect")
        return sys.stdout.buffer
    if not output.parent.is_dir() or output.is_dir():
        raise ClientError(f"{output} is no place for a file", slug="output-unwritable", field="output")
    return output


async def _download(session: LoopSession, starting: Awaitable[Job], target: Path | BinaryIO) -> int:
    job = await starting
    session.display.accepted(job)
    job = await session.follow(job)
    if job.state != JobState.SUCCEEDED:
        session.display.close()
        return session.conclude(job, _nothing)
    # The first Ctrl-C gives up the download; the job is over.
    digest = await session.unless_asked(
        session.client.download_artifact(job.id, target, on_progress=session.display.downloading)
    )
    session.display.close()
    if isinstance(target, Path) and not session.manner.quiet and job.result.artifact is not None:
        print(f"wrote {target}: {size(job.result.artifact.bytes)}, {digest}", file=sys.stderr)
    return session.conclude(job, _nothing)


def _nothing(job: Job) -> None:
    """The archive itself is all there is to report."""


def _loaded(job: Job) -> list[str]:
    """Docker's own words."""
    named = ((" ID" if name.startswith("sha256:") else "", one_line(name)) for name in job.result.images)
    return [f"Loaded image{what}: {name}" for what, name in named]
