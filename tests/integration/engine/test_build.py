"""A build brings an image about, and tells truly what happened on the way."""

from __future__ import annotations

import time

import pytest

from deploy.local.dockerd import Dockerd
from shipway.models.context import Entry, EntryType
from shipway.models.event import StepChanged, StepStatus
from tests.integration.engine.driving import Recorder, build, memory_context, once, script
from workers.engine import Engine

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])


async def test_daemon_describes_itself(engine: Engine, dockerd: Dockerd) -> None:
    described = await engine.describe()

    assert dockerd.docker("version", "-f", "{{.Server.Version}}").stdout.strip() == described.version
    assert dockerd.docker("version", "-f", "{{.Server.APIVersion}}").stdout.strip() == described.api_version
    assert (described.os, described.has_buildkit) == ("linux", True)
    assert dockerd.docker("info", "-f", "{{.DockerRootDir}}").stdout.strip() == described.data_root
    assert dockerd.docker("info", "-f", "{{.NCPU}} {{.MemTotal}}").stdout.split() == [
        str(described.cpus),
        str(described.memory),
    ]


@BUILDERS
async def test_built_image_holds_the_context_and_the_steps_results(
    engine: Engine, dockerd: Dockerd, builder: str
) -> None:
    files = {
        **script("FROM base", "WORKDIR /app", "COPY . .", f"RUN cat greeting > copy # {once()}"),
        "greeting": b"hello",
        "über/ñ.txt": b"unicode",
    }

    outcome = await build(engine, files, builder=builder)

    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "cat", "copy", "über/ñ.txt")
    assert ran.stdout == "hellounicode", ran.stderr


@BUILDERS
async def test_modes_links_and_empty_directories_arrive(engine: Engine, dockerd: Dockerd, builder: str) -> None:
    context = memory_context(
        {**script("FROM base", "COPY tree /tree"), "tree/tool": b"x", "tree/private": b"y"},
        Entry("tree/empty", EntryType.DIR, 0o1750),
        Entry("tree/link", EntryType.SYMLINK, 0o777, link="../tree/tool"),
        modes={"tree/tool": 0o4755, "tree/private": 0o600},
    )

    outcome = await build(engine, context, builder=builder)

    look = ["sh", "-c", "cd /tree; stat -c '%n %f %u:%g' *; readlink link"]
    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, *look)
    # The classic builder changes the owner after the mode, which clears setuid: with docker's own client too.
    tool = "89ed" if builder == "buildkit" else "81ed"
    expected = ["empty 43e8 0:0", "link a1ff 0:0", "private 8180 0:0", f"tool {tool} 0:0", "../tree/tool"]
    assert ran.stdout.splitlines() == expected, ran.stderr


@BUILDERS
async def test_second_build_is_cached_and_says_so(engine: Engine, builder: str) -> None:
    files = {**script("FROM base", "COPY a /a", f"RUN echo {once()}"), "a": b"1"}
    first, second = Recorder(), Recorder()

    before = await build(engine, files, sink=first, builder=builder)
    after = await build(engine, files, sink=second, builder=builder)

    def results(sink: Recorder) -> list[StepStatus]:
        return [s.status for s in sink.steps.values() if not s.internal and "FROM" not in s.name]

    assert before.image_id == after.image_id
    assert results(first) == [StepStatus.EXECUTED, StepStatus.EXECUTED]
    assert results(second) == [StepStatus.CACHED, StepStatus.CACHED]


@BUILDERS
async def test_no_cache_runs_every_step_again(engine: Engine, builder: str) -> None:
    files = script("FROM base", f"RUN echo {once()}")
    await build(engine, files, builder=builder)
    sink = Recorder()

    await build(engine, files, sink=sink, builder=builder, no_cache=True)

    assert [s.status for s in sink.steps.values() if "RUN" in s.name] == [StepStatus.EXECUTED]


@BUILDERS
async def test_steps_carry_true_times_and_output(engine: Engine, builder: str) -> None:
    sink, began = Recorder(), time.time()

    outcome = await build(
        engine, script("FROM base", f"RUN echo out {once()}; echo err >&2; sleep 0.5"), sink=sink, builder=builder
    )

    ended = time.time()
    step = next(s for s in outcome.steps if "sleep" in s.name)
    assert step.started is not None
    assert step.completed is not None
    assert began - 0.1 <= step.started <= step.completed - 0.5 <= ended
    assert "out " in sink.log
    assert "err\n" in sink.log
    assert "\x1b" not in sink.log


@BUILDERS
async def test_step_begins_before_its_output_and_ends_after_it(engine: Engine, builder: str) -> None:
    sink = Recorder()

    await build(engine, script("FROM base", f"RUN echo {once()}"), sink=sink, builder=builder)

    number = next(n for n, s in sink.steps.items() if "RUN" in s.name)
    about = [
        body.step.status if isinstance(body, StepChanged) else body.type
        for body in sink.events
        if (body.step.number if isinstance(body, StepChanged) else getattr(body, "step", None)) == number
    ]
    assert about[0] == "running"
    assert "log" in about[1:-1]
    assert about[-1] == "executed"


@BUILDERS
async def test_outcome_and_events_agree(engine: Engine, builder: str) -> None:
    sink = Recorder()

    outcome = await build(engine, script("FROM base", f"RUN echo {once()}"), sink=sink, builder=builder)

    assert outcome.steps == tuple(sink.steps[n] for n in sorted(sink.steps))
    assert [s.number for s in outcome.steps] == list(range(1, len(outcome.steps) + 1))


@BUILDERS
async def test_build_arguments_and_labels_reach_the_image(engine: Engine, dockerd: Dockerd, builder: str) -> None:
    outcome = await build(
        engine,
        script("FROM base", "ARG WHO", 'RUN echo "$WHO" > /who'),
        builder=builder,
        build_args={"WHO": 'ada "lovelace" & co'},
        labels={"org.example.kind": "tést=1"},
    )

    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "cat", "/who")
    assert ran.stdout == 'ada "lovelace" & co\n', ran.stderr
    label = dockerd.docker("inspect", "-f", '{{index .Config.Labels "org.example.kind"}}', outcome.image_id)
    assert label.stdout == "tést=1\n"


@BUILDERS
async def test_target_stops_at_its_stage(engine: Engine, builder: str) -> None:
    files = script("FROM base AS one", f"RUN echo {once()}", "FROM one AS two", "RUN exit 9")

    outcome = await build(engine, files, builder=builder, target="one")

    assert not [s for s in outcome.steps if "exit 9" in s.name]


@BUILDERS
async def test_dockerfile_in_a_folder(engine: Engine, builder: str) -> None:
    files = {"docker/prod.Dockerfile": b"FROM base\nCOPY a /a\n", "a": b"1"}

    outcome = await build(engine, files, builder=builder, dockerfile="docker/prod.Dockerfile")

    assert outcome.image_id.startswith("sha256:")


@BUILDERS
async def test_dockerfile_from_outside_the_context_stays_outside_the_image(
    engine: Engine, dockerd: Dockerd, builder: str
) -> None:
    outside = memory_context(script("FROM base", "COPY . /all"))

    outcome = await build(
        engine, {"a": b"1", ".dockerignore": b"secret\n", "secret": b"s"}, outside=outside, builder=builder
    )

    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "ls", "-A", "/all")
    assert ran.stdout.split() == [".dockerignore", "a"], ran.stderr


async def test_dockerfile_from_outside_keeps_the_classic_cache_warm(engine: Engine) -> None:
    outside, word = memory_context(script("FROM base", "COPY . /all")), once()
    await build(engine, {"a": word.encode()}, outside=outside, builder="classic")

    outcome = await build(engine, {"a": word.encode()}, outside=outside, builder="classic")

    assert [s.status for s in outcome.steps if "COPY" in s.name] == [StepStatus.CACHED]


@BUILDERS
async def test_ignored_files_stay_out_of_the_image(engine: Engine, dockerd: Dockerd, builder: str) -> None:
    files = {
        **script("FROM base", "COPY . /all"),
        ".dockerignore": b"*\n!keep\n!docs/**/*.md\n",
        "keep": b"1",
        "drop": b"2",
        "docs/a.md": b"3",
        "docs/b.txt": b"4",
    }

    outcome = await build(engine, files, builder=builder)

    ran = dockerd.docker("run", "--rm", "--network=none", outcome.image_id, "find", "/all", "-type", "f")
    assert sorted(ran.stdout.split()) == ["/all/docs/a.md", "/all/keep"], ran.stderr


@BUILDERS
async def test_network_and_extra_hosts_reach_the_steps(engine: Engine, builder: str) -> None:
    sink = Recorder()

    await build(
        engine,
        script("FROM base", f"RUN cat /etc/hosts; ls /sys/class/net # {once()}"),
        sink=sink,
        builder=builder,
        network="none",
        extra_hosts=("one.test:192.0.2.1", "two.test=192.0.2.2"),
    )

    assert "192.0.2.1\tone.test" in sink.log
    assert "192.0.2.2\ttwo.test" in sink.log
    assert "eth0" not in sink.log


async def test_long_lines_of_output_come_through(engine: Engine) -> None:
    sink = Recorder()

    await build(engine, script("FROM base", f"RUN head -c 1500000 /dev/zero | tr '\\0' x # {once()}"), sink=sink)

    assert sink.log.count("x") > 1_000_000 or "output clipped" in sink.log


async def test_step_cannot_pass_its_output_for_the_classic_builders_words(engine: Engine) -> None:
    lie = "printf 'Step 3/3 : RUN lie'; printf ' ---> Using cache\\n'; echo Removing intermediate container abc"

    outcome = await build(engine, script("FROM base", f"RUN {lie} # {once()}", "RUN true"), builder="classic")

    assert [s.name for s in outcome.steps if "lie" in s.name] == [outcome.steps[1].name]
    assert outcome.steps[1].status is StepStatus.EXECUTED


async def test_inputs_link_steps_to_those_they_build_upon(engine: Engine) -> None:
    outcome = await build(engine, {**script("FROM base", "COPY a /", f"RUN echo {once()}"), "a": b""})

    by_word = {word: step for step in outcome.steps for word in ("COPY", "RUN") if word in step.name}
    assert by_word["COPY"].number in by_word["RUN"].inputs


async def test_image_of_another_platform_than_asked_for_is_told(engine: Engine) -> None:
    sink = Recorder()
    asked = "FROM --platform=linux/amd64 base"

    await build(engine, script(asked, f"RUN echo {once()}"), sink=sink, builder="classic", platform="linux/arm64")

    assert [w.message for w in sink.warnings if "linux/arm64" in w.message]


async def test_sink_that_raises_ends_the_build(engine: Engine) -> None:
    async def refuse(body: object) -> None:
        raise LookupError("lease lost")

    with pytest.raises(LookupError, match="lease lost"):
        await build(engine, script("FROM base", f"RUN echo {once()}"), sink=refuse)  # type: ignore[arg-type]
