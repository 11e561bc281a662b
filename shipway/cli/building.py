"""`shipway build`: upload, submit, follow, report."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shipway.cli.failure import DockerfileText
from shipway.cli.session import Manner, Session, run_session
from shipway.cli.standard import STANDARD_INPUT, standard_input
from shipway.cli.summary import summary_lines, write_files
from shipway.client.options import BuildKeywords, check_tags
from shipway.client.told import Told
from shipway.client.upload import Dockerfile, DockerfileSource, LocalContext, prepare
from shipway.context.url import is_remote
from shipway.exceptions import ClientError, RequestError
from shipway.models.sources import IMAGE_SOURCE

if TYPE_CHECKING:
    from shipway.client.following import Follower
    from shipway.models.job import Job


Begun = tuple[dict[str, Any], "Follower | None"]
"""A job's record as it was accepted, and what follows it."""


class BuildCommand(NamedTuple):
    """The command line, read but for what the client itself checks."""

    path: str
    options: BuildKeywords
    file: str | None = None
    manner: Manner = Manner()
    iidfile: Path | None = None
    metadata_file: Path | None = None
    agents: Mapping[str, Path] = MappingProxyType({})


def run_build(command: BuildCommand) -> int:
    """Build; returns the exit code: 0 only for an image that was built (or, detached, a job accepted).

    Raises:
        ShipwayError: the build could not be started or followed.
    """

    async def build(session: Session) -> int:
        return await _Build(command, session).run()

    if command.agents:
        from shipway.cli.loop_session import run_loop_session  # noqa: PLC0415  (answers for agents meanwhile)

        return run_loop_session(command.manner, build)
    return run_session(command.manner, build)


class _Build:
    def __init__(self, command: BuildCommand, session: Session) -> None:
        self._command = command
        self._session = session

    async def run(self) -> int:
        session = self._session
        check_tags(self._command.options)
        # What is known of the context is let go here: of many files that takes a while, in which the service works.
        (told, follower), dockerfile = await self._submitted()
        job = cast("Job", Told(told))
        async with session.forwarding(job.id, self._command.agents):
            return await session.settle(job, self._report, dockerfile, follower)

    async def _submitted(self) -> tuple[Begun, DockerfileText | None]:
        session = self._session
        if is_remote(self._command.path):
            return await self._submit(self._command.path, self._remote_dockerfile(), None), None
        local = await session.unless_asked(session.wire.connection.ground.call(self._prepare))
        return await self._submit(local, None, local), _dockerfile_text(self._command, local)

    async def _submit(
        self, context: LocalContext | str, dockerfile: Dockerfile | None, local: LocalContext | None
    ) -> Begun:
        session, options = self._session, self._command.options
        options = await self._with_logins(options, local)
        begun = await self._begun_as_before(context, options)
        if begun is None:
            request = await session.unless_asked(
                session.wire.upload_for_build(
                    context, dockerfile, options, session.display.uploading, session.display.spared
                )
            )
            begun = await self._begun(request)
        return begun

    async def _begun_as_before(self, context: LocalContext | str, options: BuildKeywords) -> Begun | None:
        """Start a build of a directory that the service has; None if it has to be sent first."""
        session = self._session
        before = await session.unless_asked(session.wire.as_before(context, options))
        if before is None:
            return None
        request, size = before
        try:
            begun = await self._begun(request)
        except RequestError as fault:
            if fault.slug == "context-unknown":
                return None
            raise
        session.display.spared(size)
        return begun

    async def _begun(self, request: dict[str, Any]) -> Begun:
        # Not given up by the first Ctrl-C: the service might have taken the job, and nobody would cancel it.
        if self._command.manner.detach:
            return await self._session.wire.submit(request), None
        return await self._session.wire.begin(request)

    def _prepare(self) -> LocalContext:
        path, file = self._command.path, self._command.file
        dockerfile: Dockerfile | None = None
        if file == STANDARD_INPUT:
            if path == STANDARD_INPUT:
                raise ClientError("standard input can't be both the context and the Dockerfile", slug="stdin-twice")
            dockerfile = DockerfileSource(sys.stdin.buffer.read())
        elif file is not None:
            # For a directory -f is relative to here, as with docker; for a tar it is a path inside.
            dockerfile = file if path == STANDARD_INPUT else Path(file).absolute()
        if path != STANDARD_INPUT:
            return prepare(path, dockerfile)
        return prepare(standard_input(), dockerfile)

    def _remote_dockerfile(self) -> Dockerfile | None:
        """For a URL -f is a path inside what is there, as with docker; `-` sends one from here."""
        if self._command.file == STANDARD_INPUT:
            return DockerfileSource(sys.stdin.buffer.read())
        return self._command.file

    async def _with_logins(self, options: BuildKeywords, local: LocalContext | None) -> BuildKeywords:
        """Add logins for the registries this build speaks to, and for no others.

        The Dockerfile inside a tar or at a URL is not known here: the base images it names need a public registry.
        """
        return {**options, "registries": await self._session.logins(_images(options, local))}

    def _report(self, job: Job) -> None:
        write_files(job, self._command.iidfile, self._command.metadata_file)
        if self._command.manner.quiet:
            print(job.result.image_id)
        elif self._command.manner.progress != "json":
            print("\n".join(summary_lines(job)), file=sys.stderr)


def _images(options: BuildKeywords, local: LocalContext | None) -> Iterator[str]:
    """The names of all images in registries that a build reads or writes."""
    if options.get("push"):
        yield from options.get("tags", ())
    yield from options.get("cache_from", ())
    if cache := options.get("cache_to"):
        yield cache
    for source in options.get("build_contexts", {}).values():
        if source.startswith(IMAGE_SOURCE):
            yield source.removeprefix(IMAGE_SOURCE)
    if local is not None and local.text is not None:
        from shipway.context.dockerfile import images  # noqa: PLC0415  (asked for by who has logins)

        yield from map(str, images(local.text.decode(errors="replace"), options.get("build_args", {})))


def _dockerfile_text(command: BuildCommand, local: LocalContext) -> DockerfileText | None:
    if local.text is None:
        return None
    name = command.file if command.file not in (None, STANDARD_INPUT) else local.dockerfile
    return DockerfileText(name or local.dockerfile, local.text.decode(errors="replace"))
