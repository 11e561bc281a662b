"""The commands that make images in other ways than a build, and those that move them between daemon and registry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shipway.cli.display import SilentDisplay
from shipway.cli.fleet import settle_all
from shipway.cli.loop_session import LoopSession, run_loop_session
from shipway.cli.naming import in_repository, resolved
from shipway.cli.session import Manner
from shipway.cli.standard import STANDARD_INPUT, standard_input
from shipway.cli.summary import pushed_lines, summary_lines
from shipway.cli.text import one_line, size
from shipway.client.copies import Copies
from shipway.client.move_options import CommitKeywords, ImportKeywords, PruneKeywords, PullKeywords, PushKeywords
from shipway.client.moves import check_commit, check_import
from shipway.context.url import is_remote
from shipway.exceptions import NotFound
from shipway.models.image import ImageOnWorker
from shipway.models.job import Job, JobState


def run_commit(manner: Manner, options: CommitKeywords, copies: Copies) -> int:
    """Commit; returns the exit code."""

    async def commit(session: LoopSession) -> int:
        client, wanted = session.client, options
        if (image := wanted.get("image")) is not None:
            wanted = {**wanted, "image": await session.unless_asked(resolved(client, image))}
        check_commit(wanted, copies)
        wanted = {**wanted, "registries": await session.logins(_registries(wanted, wanted.get("image")))}
        if not copies:
            return await session.settle(await client.commit(**wanted), _print_image(manner))
        sending = client.upload_copies(copies, on_progress=session.display.uploading)
        sent = await session.unless_asked(sending)
        return await session.settle(await client.commit(copies=sent, **wanted), _print_image(manner))

    return run_loop_session(manner, commit, sending="files")


def run_import(manner: Manner, source: str, options: ImportKeywords) -> int:
    """Import; returns the exit code."""

    async def import_(session: LoopSession) -> int:
        check_import(options)
        client = session.client
        wanted: ImportKeywords = {**options, "registries": await session.logins(_registries(options))}
        if is_remote(source):
            return await session.settle(await client.import_(source, **wanted), _print_image(manner))
        archive = standard_input() if source == STANDARD_INPUT else source
        receipt = await session.unless_asked(client.upload_artifact(archive, on_progress=session.display.uploading))
        return await session.settle(await client.import_(receipt, **wanted), _print_image(manner))

    return run_loop_session(manner, import_, sending="archive")


def run_push(manner: Manner, image: str, options: PushKeywords) -> int:
    """Push; returns the exit code. What became of each name is told, whether all went well or not."""

    async def push(session: LoopSession) -> int:
        name = await session.unless_asked(resolved(session.client, image))
        logins = await session.logins(options.get("tags") or [name])
        wanted: PushKeywords = {**options, "registries": logins}
        job = await session.client.push(name, **wanted)
        if manner.detach:
            return await session.settle(job, lambda _: None)
        session.display.accepted(job)
        job = await session.follow(job)
        session.display.close()
        if job.state != JobState.SUCCEEDED and len(job.result.pushed) > 1:
            print("\n".join(pushed_lines(job)), file=sys.stderr)
        return session.conclude(job, lambda job: _print_lines(_pushed(job)))

    return run_loop_session(manner, push)


def run_push_all(manner: Manner, repository: str, options: PushKeywords) -> int:
    """Push every name that a repository has on the workers; returns the exit code: 0 only if all went well."""

    async def push(session: LoopSession) -> int:
        logins = await session.logins([repository])
        held = await session.unless_asked(session.client.images())
        images = [image for image in held if options.get("worker") in (None, image.worker)]
        jobs = []
        for image, names in _names_in(repository, images):
            wanted: PushKeywords = {**options, "tags": names, "registries": logins, "worker": image.worker}
            jobs.append(await session.client.push(image.id, **wanted))
        if not jobs:
            raise NotFound(f"no worker has an image of {repository}", slug="image-unknown", field="image")
        return await settle_all(session, jobs, _pushed)

    return run_loop_session(manner, push)


def _names_in(repository: str, images: Iterable[ImageOnWorker]) -> Iterable[tuple[ImageOnWorker, list[str]]]:
    """Each image that has names in a repository, with these; of several workers that know a name, the first counts."""
    holders = {name: image for image in reversed([*images]) for name in image.tags if in_repository(name, repository)}
    return [
        (image, [name for name, held in holders.items() if held == image]) for image in dict.fromkeys(holders.values())
    ]


def run_pull(manner: Manner, image: str, options: PullKeywords) -> int:
    """Pull onto workers; returns the exit code: 0 only if every one of them has the image now."""

    async def pull(session: LoopSession) -> int:
        wanted: PullKeywords = {**options, "registries": await session.logins([image])}
        return await settle_all(session, await session.client.pull(image, **wanted), _pulled)

    return run_loop_session(manner, pull)


def run_prune(manner: Manner, options: PruneKeywords) -> int:
    """Prune workers; returns the exit code."""

    async def prune(session: LoopSession) -> int:
        jobs = await session.client.prune(**options)
        return await settle_all(session, jobs, lambda job: [f"reclaimed {size(job.result.bytes_freed or 0)}"])

    return run_loop_session(manner, prune)


def run_tag(manner: Manner, image: str, names: Sequence[str], worker: str | None) -> int:
    """Give an image more names; returns the exit code."""

    async def tag(session: LoopSession) -> int:
        name = await session.unless_asked(resolved(session.client, image))
        return await _quietly(session, await session.client.tag(name, names, worker=worker), lambda _: [])

    return run_loop_session(manner, tag)


@dataclass(frozen=True, slots=True)
class Removal:
    """What `rmi` is to take away, and where."""

    images: Sequence[str]
    worker: str | None
    force: bool


def run_remove(manner: Manner, removal: Removal) -> int:
    """Take names or images off workers; returns the exit code. One that fails does not keep the others."""

    async def remove(session: LoopSession) -> int:
        codes = [0]
        for image in removal.images:
            name = await session.unless_asked(resolved(session.client, image))
            job = await session.client.remove(name, worker=removal.worker, force=removal.force)
            codes.append(await _quietly(session, job, _removed))
        return max(codes)

    return run_loop_session(manner, remove)


async def _quietly(session: LoopSession, job: Job, lines: Callable[[Job], Iterable[str]]) -> int:
    """Wait for a job that takes a moment, without a display of its own."""
    job = await session.follow(job, session.display if session.manner.progress == "json" else SilentDisplay(sys.stderr))
    return session.conclude(job, lambda job: _print_lines(lines(job)))


def _registries(options: CommitKeywords | ImportKeywords, base: str | None = None) -> list[str]:
    """The images for whose registries a login may be needed."""
    return [*(options.get("tags", ()) if options.get("push") else ()), *([base] if base else [])]


def _print_image(manner: Manner) -> Callable[[Job], None]:
    """Print the new image's id on standard output, as docker's commands do, and the rest beside it."""

    def report(job: Job) -> None:
        print(job.result.image_id)
        if not manner.quiet and manner.progress != "json":
            _print_lines(summary_lines(job)[1:], err=True)

    return report


def _print_lines(lines: Iterable[str], *, err: bool = False) -> None:
    for line in lines:
        print(line, file=sys.stderr if err else sys.stdout)


def _pushed(job: Job) -> list[str]:
    return [f"{one_line(pushed.reference)} {pushed.digest}" for pushed in job.result.pushed]


def _pulled(job: Job) -> list[str]:
    pulled = job.result.pulled
    return [f"{one_line(pulled.reference)} {pulled.digest}"] if pulled else []


def _removed(job: Job) -> list[str]:
    """Docker's own two words for what `rmi` does."""
    deleted = ("Deleted" if name.startswith("sha256:") else "Untagged" for name in job.result.images)
    return [f"{what}: {one_line(name)}" for what, name in zip(deleted, job.result.images, strict=True)]
