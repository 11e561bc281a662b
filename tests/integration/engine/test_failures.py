"""What goes wrong in a build is told by a slug, a message, and the step at fault."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.registry import Registry
from shipway.context.source import ContextSource
from shipway.exceptions import BuildSystemError, BuildUserError, JobError
from shipway.models.context import Entry, Manifest
from shipway.models.event import StepStatus
from tests.integration.engine.driving import Recorder, build, file, memory_context, once, script
from workers.engine import Engine, classic

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])


async def failing(engine: Engine, files: dict[str, bytes] | ContextSource, **spec: object) -> JobError:
    with pytest.raises(JobError) as caught:
        await build(engine, files, **spec)  # type: ignore[arg-type]
    return caught.value


@BUILDERS
async def test_failing_command_names_its_step_and_exit_code(engine: Engine, builder: str) -> None:
    sink = Recorder()

    error = await failing(
        engine, script("FROM base", f"RUN echo last words {once()}; exit 3"), sink=sink, builder=builder
    )

    assert isinstance(error, BuildUserError)
    assert error.slug == "step-failed"
    assert "code: 3" in error.message
    assert "exit 3" in (error.step or "")
    assert "last words" in sink.log
    assert [s.status for s in sink.steps.values() if "exit 3" in s.name] == [StepStatus.FAILED]


@BUILDERS
async def test_failing_step_leaves_no_other_step_running(engine: Engine, builder: str) -> None:
    sink = Recorder()
    files = script(
        "FROM base AS a",
        f"RUN sleep 30 # {once()}",
        "FROM base AS b",
        f"RUN sleep 0.5; false # {once()}",
        "FROM base",
        "COPY --from=b / /b",
        "COPY --from=a / /a",
    )
    if builder == "classic":  # it runs one step at a time
        files = script("FROM base", "RUN false")

    await failing(engine, files, sink=sink, builder=builder)

    assert StepStatus.RUNNING not in {s.status for s in sink.steps.values()}


@BUILDERS
@pytest.mark.parametrize(
    ("lines", "slug", "words"),
    [
        (["FROM base", "RUN true", "FOO bar"], "dockerfile-syntax", "line 3"),
        (["FROM base", "COPY a"], "dockerfile-syntax", "line 2"),
        (["FROM base", "COPY --what=1 a b"], "dockerfile-syntax", "what"),
        (["# nothing"], "dockerfile-syntax", "no instructions"),
        (["FROM Upper//case"], "dockerfile-syntax", "reference format"),
        (["ARG NAME", "FROM $NAME"], "dockerfile-syntax", "blank"),
        (["FROM base", "COPY missing /"], "copy-source-missing", "missing"),
        (["FROM base", 'RUN ["/no/such/program"]'], "step-failed", ""),
        (["FROM base", "USER nobody-here", "RUN true"], "step-failed", "nobody-here"),
    ],
)
async def test_users_mistake(engine: Engine, builder: str, lines: list[str], slug: str, words: str) -> None:
    error = await failing(engine, script(*lines), builder=builder)

    assert isinstance(error, BuildUserError)
    assert (error.slug, words in error.message) == (slug, True), error.message


@BUILDERS
async def test_unknown_target(engine: Engine, builder: str) -> None:
    error = await failing(engine, script("FROM base"), builder=builder, target="nope")

    assert (error.slug, "nope" in error.message) == ("target-unknown", True)


@BUILDERS
async def test_no_dockerfile(engine: Engine, builder: str) -> None:
    error = await failing(engine, {"readme": b""}, builder=builder)

    assert (error.slug, error.retryable) == ("dockerfile-missing", False)


@BUILDERS
async def test_directory_in_the_dockerfiles_place(engine: Engine, builder: str) -> None:
    error = await failing(engine, {"Dockerfile/a": b""}, builder=builder)

    assert error.slug == "dockerfile-missing"


@BUILDERS
async def test_unknown_base_image(engine: Engine, registry: Registry, builder: str) -> None:
    error = await failing(engine, script(f"FROM {registry.address}/nothing:1"), builder=builder)

    assert (error.slug, error.retryable) == ("base-image-unknown", False), error.message


@BUILDERS
async def test_base_image_on_a_registry_that_is_down(engine: Engine, builder: str) -> None:
    with socket.socket() as held:  # bound, not listening: refuses every connection
        held.bind(("127.0.0.1", 0))
        name = f"127.0.0.1:{held.getsockname()[1]}/thing:1"

        error = await failing(engine, script(f"FROM {name}"), builder=builder)

    assert isinstance(error, BuildSystemError)
    assert error.slug == "registry-unreachable"


@BUILDERS
async def test_address_that_cannot_be_added(engine: Engine, builder: str) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/file"

        error = await failing(engine, script("FROM base", f"ADD {url} /"), builder=builder)

    assert isinstance(error, BuildUserError)
    assert error.slug == "download-failed"


@BUILDERS
async def test_options_too_large_for_a_daemon_are_refused_before_it_sees_them(engine: Engine, builder: str) -> None:
    arguments = {f"A{n}": "x" * 60_000 for n in range(20)}

    error = await failing(engine, script("FROM base"), builder=builder, build_args=arguments)

    assert error.slug == "build-options-too-large"


@BUILDERS
async def test_content_that_cannot_be_read_is_the_systems_fault(engine: Engine, builder: str) -> None:
    async def read(entry: Entry) -> AsyncIterator[bytes]:
        if entry.path == "Dockerfile":
            yield b"FROM base\nCOPY a /a\n"
            return
        yield b"half"
        raise OSError("the store is away")

    entries = [file("Dockerfile", b"FROM base\nCOPY a /a\n"), file("a", b"x" * 100)]

    error = await failing(engine, ContextSource(Manifest(entries), read), builder=builder)

    assert isinstance(error, BuildSystemError)
    assert (error.slug, "the store is away" in error.message) == ("context-unreadable", True), error.message


@BUILDERS
async def test_bad_pattern_in_dockerignore(engine: Engine, builder: str) -> None:
    files = {**script("FROM base", "COPY . /"), ".dockerignore": b"[a-\n"}

    error = await failing(engine, files, builder=builder)

    assert isinstance(error, BuildUserError), error


async def test_required_secret_that_did_not_come(engine: Engine) -> None:
    line = "RUN --mount=type=secret,id=token,required=true cat /run/secrets/token"

    error = await failing(engine, script("FROM base", line))

    assert (error.slug, "token" in error.message) == ("secret-missing", True)


@BUILDERS
async def test_failed_builds_leave_no_container(engine: Engine, dockerd: Dockerd, builder: str) -> None:
    await failing(engine, script("FROM base", f"RUN exit 4 # {once()}"), builder=builder)

    assert dockerd.docker("ps", "-aq").stdout == ""


@pytest.mark.parametrize(("step", "lasting", "named"), [("exit 4", 60.0, 0), ("sleep 2; exit 4", 0.5, 1)])
async def test_container_of_a_step_that_ends_at_once_is_not_renamed(
    engine: Engine, dockerd: Dockerd, monkeypatch: pytest.MonkeyPatch, step: str, lasting: float, named: int
) -> None:
    """A daemon that is removing a container would list it for ever."""
    monkeypatch.setattr(classic, "LASTING", lasting)
    began = time.time()
    await failing(engine, script("FROM base", f"RUN {step} # {once()}"), builder="classic")

    span = ("--since", f"{began:.6f}", "--until", f"{time.time():.6f}")
    renamed = dockerd.docker("events", *span, "--filter", "event=rename", "--format", "{{.Actor.Attributes.name}}")
    assert [name.startswith("shipway-") for name in renamed.stdout.split()] == [True] * named


async def test_no_daemon_at_all() -> None:
    async with Engine("unix:///nonexistent/docker.sock") as engine:
        with pytest.raises(BuildSystemError) as pinging:
            await engine.ping()
        building = await failing(engine, memory_context(script("FROM base")))

    assert (pinging.value.slug, building.slug) == ("daemon-unreachable", "daemon-unreachable")
