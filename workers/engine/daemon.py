"""The worker's face of one Docker daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from aiodocker import DockerError

from shipway.exceptions import BuildUserError, JobError
from shipway.models.credentials import Credentials, RegistryLogin
from shipway.models.event import Warned
from shipway.models.spec import Builder, BuildSpec
from shipway.models.worker import StepLimits
from workers.engine import failures, names, refusals
from workers.engine.api import DaemonApi, lost
from workers.engine.buildkit import BuildKitBuild
from workers.engine.canary import Canary
from workers.engine.classic import ClassicBuild
from workers.engine.containers import Containers
from workers.engine.contract import Ask, BuildOutcome, BuildRequest, BuildSources, DaemonDescription, Sink
from workers.engine.images import Images
from workers.engine.logins import auth_body
from workers.engine.push import push, registered
from workers.engine.solving import SolvedBuild

_BUILDKIT_SINCE = (1, 39)
"""API of Engine 18.09, the first with BuildKit inside."""
JSON = {"Content-Type": "application/json"}
REGISTRY = 15.0
"""Seconds that a registry may take to say whether it takes a login."""
CONTAINERD_STORE = ["driver-type", "io.containerd.snapshotter.v1"]
"""How a daemon says that it keeps images as registries do, as indexes that may carry attestations."""
_KILLED = 137
"""Exit code of a step that was killed: by its own memory limit, or by a daemon that is shutting down."""
LOOKING_UP = 10.0
"""Seconds that a registry may take to say which digest it has of an image."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "armv6l": "arm/v6", "i686": "386"}


class Engine:
    """One Docker daemon.

    Use it inside `async with`. Every method raises BuildSystemError `daemon-unreachable` when there is no
    daemon, and `daemon-lost` when it goes away in mid-work. Nothing is tried twice here.

    Attributes:
        images: looks at, names, removes and moves its images.
        containers: makes, changes, commits and removes its containers.
    """

    def __init__(self, host: str | None = None, limits: StepLimits | None = None) -> None:
        """Name a daemon: `unix:///…` or `tcp://…`; None means `DOCKER_HOST` or the default socket.

        `limits` hold for the steps of builds by the classic builder, and for containers that are made here.
        """
        self._api = DaemonApi(host)
        self._limits = limits or StepLimits()
        self._platform: str | None = None
        self.images = Images(self._api)
        self.containers = Containers(self._api, self._limits)

    async def __aenter__(self) -> Self:
        await self._api.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.__aexit__(kind, error, trace)

    async def ping(self) -> None:
        """Return if the daemon answers; it may be another version by now than the one before."""
        try:
            await self._api.ping()
        except DockerError as error:
            raise failures.of_answer(error) from error

    async def describe(self) -> DaemonDescription:
        """Ask the daemon about itself."""
        version, info = await asyncio.gather(self._ask("version"), self._ask("info"))
        api = str(version["ApiVersion"])
        has_buildkit = tuple(map(int, api.split("."))) >= _BUILDKIT_SINCE and version["Os"] == "linux"
        architecture = str(info["Architecture"])
        return DaemonDescription(
            version=str(version["Version"]),
            api_version=api,
            os=str(version["Os"]),
            architecture=_ARCHITECTURES.get(architecture, architecture),
            cpus=int(info["NCPU"]),
            memory=int(info["MemTotal"]),
            data_root=str(info["DockerRootDir"]),
            has_buildkit=has_buildkit,
        )

    async def platform(self) -> str:
        """Tell which platform it builds for by default, like `linux/amd64`; asked once, for it never changes."""
        if self._platform is None:
            version = await self._ask("version")
            self._platform = f"{version['Os']}/{version['Arch']}"
        return self._platform

    async def build(
        self,
        spec: BuildSpec,
        sources: asyncio.Future[BuildSources],
        credentials: Credentials,
        sink: Sink,
        *,
        build_id: str,
        shared_key: str,
        agents: Mapping[str, Ask] | None = None,
    ) -> BuildOutcome:
        """Build an image; it gets no name, only an id.

        Cancelling the task that awaits this stops the daemon's work within 2 s, before the cancellation goes on.

        Args:
            spec: what to build; its tags and `push` are not looked at.
            sources: the files, which may still be on their way.
            credentials: secrets for steps and logins for base images.
            sink: takes the events. What it raises ends the build and comes through.
            build_id: the attempt as `<job>-<number>`.
            shared_key: see `BuildRequest`.
            agents: see `BuildRequest`.

        Raises:
            BuildUserError: the Dockerfile, the context or a credential is at fault.
            BuildSystemError: the daemon or a registry is.
            Exception: what `sources` raises, or a JobError that names it.
        """
        await self._check_store(spec)
        request = BuildRequest(spec, sources, credentials, build_id, shared_key, agents or {}, self._limits)
        async with Canary(self._api) as canary:
            try:
                outcome = await _builder(spec)(self._api, request, sink).run()
                await self._compare_platform(outcome.image_id, spec.platform, sink)
            except JobError as error:
                if error.slug != "daemon-lost" and await canary.died(_patience(error)):
                    raise lost(error.message) from error
                raise
        return outcome

    async def push(self, reference: str, login: RegistryLogin | None, sink: Sink) -> str:
        """Push one tag; return the digest under which its registry confirms to have it."""
        return await push(self._api, names.reference(reference), login, sink)

    async def log_in(self, registry: str, login: RegistryLogin) -> None:
        """Ask a registry, through the daemon, whether it takes a login; nothing is kept.

        Raises:
            BuildUserError: it doesn't (`registry-denied`).
            BuildSystemError: `registry-unreachable`, `registry-untrusted`, `registry-error`.
        """
        try:
            await self._api.json("POST", "auth", body=auth_body(registry, login), headers=JSON, limit=REGISTRY)
        except DockerError as error:
            raise refusals.of_login(error.message, registry) from error

    async def registered(self, reference: str, login: RegistryLogin | None) -> str:
        """Ask a registry for the digest of what it has under a name.

        Raises:
            JobError: it has nothing, refuses this login, or does not answer within some seconds.
        """
        return await registered(self._api, names.reference(reference), login, limit=LOOKING_UP)

    async def _check_store(self, spec: BuildSpec) -> None:
        """Refuse what takes the containerd image store where the daemon has another one."""
        wanted = [
            *([("attest what it builds", "attestations-unsupported")] if spec.attested else []),
            *([("put its steps into a registry", "cache-export-unsupported")] if spec.cache_to is not None else []),
        ]
        if wanted and CONTAINERD_STORE not in ((await self._ask("info")).get("DriverStatus") or ()):
            what, slug = wanted[0]
            raise BuildUserError(
                f"this worker's daemon can't {what}: that needs the containerd image store, which its operator can "
                "turn on (Engine 24 or newer)",
                slug=slug,
            )

    async def _compare_platform(self, image_id: str, wanted: str | None, sink: Sink) -> None:
        """Warn of an image for another platform: Engine 20.10 takes a local base image of any."""
        if wanted is None:
            return
        image = await self.images.inspect(image_id)
        got = f"{image.os}/{image.architecture}"
        if got != "/".join(wanted.split("/")[:2]):
            message = f"the image is for {got}, not for {wanted}: a base image exists here for {got} only"
            await sink(Warned(message=message))

    async def _ask(self, path: str) -> Any:
        try:
            return await self._api.json("GET", path)
        except DockerError as error:
            raise failures.of_answer(error) from error


def _builder(spec: BuildSpec) -> type[BuildKitBuild | ClassicBuild]:
    if spec.builder is Builder.CLASSIC:
        return ClassicBuild
    past_the_build_call = spec.build_contexts or spec.attested or spec.cache_to is not None
    return SolvedBuild if past_the_build_call else BuildKitBuild


def _patience(error: JobError) -> float:
    """How many seconds the daemon may take to die after an error that looks like its dying."""
    suspicious = error.slug in ("build-stream-ended", "build-interrupted", "daemon-unreachable", "push-stream-ended")
    return 3.0 if suspicious or failures.exit_code(error.message) == _KILLED else 0.0
