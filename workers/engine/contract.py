"""The words that the engine and its callers share."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from shipway.context.source import ContextSource
from shipway.models.credentials import Credentials
from shipway.models.event import EventBody, Step
from shipway.models.spec import BuildSpec
from shipway.models.worker import StepLimits

Ask = Callable[[bytes], Awaitable[bytes]]
"""Has an ssh agent elsewhere answer a request; raises JobError when it can't be had."""
Sink = Callable[[EventBody], Awaitable[None]]
"""Takes the events of a build or a push as they happen. What it raises ends the build."""


@dataclass(frozen=True, slots=True)
class DaemonDescription:
    """What a daemon says about itself.

    Attributes:
        version: of the engine, like `20.10.24`.
        api_version: highest API version it speaks, like `1.41`.
        os: operating system of its images, like `linux`.
        architecture: in Docker's platform words, like `amd64`.
        cpus: how many it may use.
        memory: bytes.
        data_root: directory where it keeps images and layers, as the daemon sees it.
        has_buildkit: whether `builder: buildkit` works there.
    """

    version: str
    api_version: str
    os: str
    architecture: str
    cpus: int
    memory: int
    data_root: str
    has_buildkit: bool


@dataclass(frozen=True, slots=True)
class BuildSources:
    """The files of a build.

    Attributes:
        context: what COPY and ADD see.
        dockerfile: another context that holds the Dockerfile, or None if it is in `context`.
        named: further contexts that were uploaded, by name.
    """

    context: ContextSource
    dockerfile: ContextSource | None = None
    named: Mapping[str, ContextSource] = field(default_factory=dict)

    @property
    def of_dockerfile(self) -> ContextSource:
        """The context in which `spec.dockerfile` is looked up."""
        return self.dockerfile or self.context


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Everything one build needs.

    Attributes:
        sources: the files. They may still be on their way: BuildKit is asked to build meanwhile.
        build_id: the attempt as `<job>-<number>`; names the build and its containers to the daemon.
        shared_key: the same for builds that share most of their files: the daemon keeps its last copy under
            this key and asks only for what changed.
        agents: has ssh agents elsewhere answer for steps, by id.
        limits: what one step may use, as far as the builder keeps to it.
    """

    spec: BuildSpec
    sources: Future[BuildSources]
    credentials: Credentials
    build_id: str
    shared_key: str
    agents: Mapping[str, Ask] = field(default_factory=dict)
    limits: StepLimits = field(default_factory=StepLimits)


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """A finished build.

    Attributes:
        image_id: `sha256:…`, as the daemon reported it at the very end.
        steps: every step that started, as it ended, in the order in which they first appeared.
        bases: base images (as the builder names them) and the digests they resolved to.
        context_sent: bytes of file content that the daemon asked for.
        context_spared: bytes of wanted files that it had already.
    """

    image_id: str
    steps: tuple[Step, ...]
    bases: dict[str, str]
    context_sent: int
    context_spared: int
