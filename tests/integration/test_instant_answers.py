"""A build in which nothing has changed ends with the result it had the last time, and only then."""

from __future__ import annotations

import base64

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.registry import Registry
from shipway.models.event import Answered, StepStatus
from shipway.models.job import Job
from tests.integration.contexts import once, script
from tests.integration.fleet import image_id, output_of
from tests.integration.http_api import HttpApi, made, user_steps
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registered import registered

WRITING = "(PUT|PATCH|POST) "
"""Whatever changes something in a registry."""


@pytest.fixture
def word() -> str:
    """Makes names and contents of one test its own."""
    return once()


def answered(job: Job) -> str | None:
    return job.result.answered_from


def test_same_build_again_has_the_result_of_the_first(api: HttpApi, dockerd: Dockerd, word: str) -> None:
    files = {**script("FROM base", "COPY a /a", "RUN cat /a > /b"), "a": word.encode()}
    first = api.succeed(files)

    again = api.succeed(files, tags=[f"again-{word}"])

    assert answered(first) is None
    assert answered(again) == first.id
    assert again.result.image_id == first.result.image_id == image_id(dockerd, f"again-{word}")
    assert [s.name for s in user_steps(again)] == [s.name for s in user_steps(first)]
    assert {s.status for s in again.steps} == {StepStatus.CACHED}
    assert again.cache_hit_ratio == 1
    assert [e.body.job for e in api.events(again.id) if isinstance(e.body, Answered)] == [first.id]


@pytest.mark.parametrize(
    "other", [{"build_args": {"A": "1"}}, {"target": "early"}, {"labels": {"a": "b"}}, {"network": "none"}]
)
def test_another_request_is_another_build(api: HttpApi, word: str, other: dict[str, object]) -> None:
    files = script("FROM base AS early", f"RUN echo {word}", "FROM early", "ARG A")
    api.succeed(files)

    assert answered(api.succeed(files, **other)) is None


def test_changed_file_is_another_build(api: HttpApi, word: str) -> None:
    files = {**script("FROM base", "COPY a /a"), "a": word.encode()}
    api.succeed(files)

    assert answered(api.succeed({**files, "a": b"other " + word.encode()})) is None


def test_changed_base_of_the_daemon_is_built_upon(api: HttpApi, dockerd: Dockerd, word: str) -> None:
    api.succeed(script("FROM base", f"RUN echo old > /which # {word}"), tags=[f"base-{word}"])
    files = script(f"FROM base-{word}", "RUN cp /which /copy")
    first = api.succeed(files)
    assert answered(api.succeed(files)) == first.id
    api.succeed(script("FROM base", f"RUN echo new > /which # {word}"), tags=[f"base-{word}"])

    job = api.succeed(files, tags=[f"top-{word}"])

    assert answered(job) is None
    assert output_of(dockerd, f"top-{word}", "cat", "/copy") == "new\n"


def test_changed_base_in_its_registry_is_built_upon(
    api: HttpApi, dockerd: Dockerd, registry: Registry, word: str
) -> None:
    name = f"{registry.address}/base-{word}"

    def push_base(content: str) -> None:
        api.succeed(script("FROM base", f"RUN echo {content} > /which # {word}"), tags=[name], push=True)
        dockerd.docker("image", "rm", f"{name}:latest")

    push_base("old")
    files = script(f"FROM {name}", "RUN cp /which /copy")
    first = api.succeed(files)
    assert answered(api.succeed(files)) == first.id
    push_base("new")

    job = api.succeed(files, tags=[f"top-{word}"])

    assert answered(job) is None
    assert output_of(dockerd, f"top-{word}", "cat", "/copy") == "new\n"


def test_base_that_the_daemon_has_got_itself_comes_before_the_registry(
    api: HttpApi, dockerd: Dockerd, registry: Registry, word: str
) -> None:
    name = f"{registry.address}/base-{word}"
    api.succeed(script("FROM base", f"RUN echo registry > /which # {word}"), tags=[name], push=True)
    dockerd.docker("image", "rm", f"{name}:latest")
    files = script(f"FROM {name}", "RUN cp /which /copy")
    api.succeed(files)
    api.succeed(script("FROM base", f"RUN echo daemon > /which # {word}"), tags=[name])

    job = api.succeed(files, tags=[f"top-{word}"])

    assert answered(job) is None
    assert output_of(dockerd, f"top-{word}", "cat", "/copy") == "daemon\n"


def test_no_cache_builds_anew_and_is_the_answer_from_then_on(api: HttpApi, word: str) -> None:
    files = script("FROM base", f"RUN date +%s%N > /time # {word}; sleep 1.1")
    first = api.succeed(files)

    anew = api.succeed(files, no_cache=True)
    again = api.succeed(files)

    assert answered(anew) is None
    assert anew.result.image_id != first.result.image_id
    assert (answered(again), again.result.image_id) == (anew.id, anew.result.image_id)


def test_pushed_image_is_looked_up_not_pushed_again(api: HttpApi, registry: Registry, word: str) -> None:
    files, name = script("FROM base", f"RUN echo {word} > /a"), f"{registry.address}/app-{word}:1"
    first = api.succeed(files, tags=[name], push=True)

    again = api.succeed(files, tags=[name], push=True)

    assert answered(again) == first.id
    assert again.result.pushed == first.result.pushed
    assert again.timings.phases["push"] < first.timings.phases["push"]


def test_name_that_was_pushed_over_is_pushed_again(api: HttpApi, registry: Registry, word: str) -> None:
    files, name = script("FROM base", f"RUN echo {word} > /a"), f"{registry.address}/app-{word}:1"
    first = api.succeed(files, tags=[name], push=True)
    other = api.succeed(script("FROM base", f"RUN echo other {word}"), tags=[name], push=True)

    again = api.succeed(files, tags=[name, f"{name}-new"], push=True)

    assert answered(again) == first.id
    assert [one.digest for one in again.result.pushed] == [first.result.pushed[0].digest] * 2
    assert other.result.pushed[0].digest != first.result.pushed[0].digest
    assert api.succeed(files, tags=[name], push=True).result.pushed[0].digest == first.result.pushed[0].digest


def test_push_of_an_answered_build_is_known_the_next_time(api: HttpApi, registry: Registry, word: str) -> None:
    files = script("FROM base", f"RUN echo {word} > /a")
    with FaultyRegistry(registry.port) as gate:
        one, two = (f"{gate.address}/app-{word}:{tag}" for tag in (1, 2))
        first = api.succeed(files)
        pushed = [api.succeed(files, tags=[name], push=True) for name in (one, two)]
        gate.fault(WRITING, 403)

        again = api.succeed(files, tags=[one, two], push=True)

    assert [answered(job) for job in (*pushed, again)] == [first.id] * 3
    assert again.result.pushed == pushed[0].result.pushed + pushed[1].result.pushed


def test_new_name_in_a_repository_that_has_the_image_is_given_by_the_registry(
    api: HttpApi, dockerd: Dockerd, registry: Registry, word: str
) -> None:
    files, path = script("FROM base", f"RUN echo {word} > /a"), f"app-{word}"
    with FaultyRegistry(registry.port) as gate:
        first = api.succeed(files, tags=[f"{gate.address}/{path}:1"], push=True)
        # A daemon that pushes begins with the layers.
        pushing = gate.fault("(HEAD|POST|PATCH) .*/blobs/", 403)

        again = api.succeed(files, tags=[f"{gate.address}/{path}:2", f"{gate.address}/{path}:1"], push=True)

        assert image_id(dockerd, f"{gate.address}/{path}:2") == first.result.image_id
    assert answered(again) == first.id
    assert pushing.seen == 0
    assert [one.digest for one in again.result.pushed] == [first.result.pushed[0].digest] * 2
    assert [one.reference[-2:] for one in again.result.pushed] == [":2", ":1"]
    assert registered(registry, path, "2") == first.result.pushed[0].digest


def test_new_name_needs_no_daemon_that_has_the_image(
    api: HttpApi, dockerd: Dockerd, registry: Registry, word: str
) -> None:
    files, name = script("FROM base", f"RUN echo {word} > /a"), f"{registry.address}/app-{word}"
    first = api.succeed(files, tags=[f"{name}:1"], push=True)
    removed = dockerd.docker("image", "rm", "--force", str(first.result.image_id))
    assert removed.returncode == 0, removed.stderr

    job = api.succeed(files, tags=[f"{name}:2"], push=True)

    assert (answered(job), job.result.built_on) == (first.id, None)
    assert registered(registry, f"app-{word}", "2") == first.result.pushed[0].digest
    assert dockerd.docker("image", "inspect", f"{name}:2").returncode == 1


def test_name_that_a_registry_does_not_give_is_pushed_by_the_daemon(
    api: HttpApi, registry: Registry, word: str
) -> None:
    files, path = script("FROM base", f"RUN echo {word} > /a"), f"app-{word}"
    with FaultyRegistry(registry.port) as gate:
        first = api.succeed(files, tags=[f"{gate.address}/{path}:1"], push=True)
        refused = gate.fault("PUT .*/manifests/2", 403, times=1)

        again = api.succeed(files, tags=[f"{gate.address}/{path}:2"], push=True)

    assert refused.seen == 1
    assert answered(again) == first.id
    assert registered(registry, path, "2") == first.result.pushed[0].digest


def test_what_another_project_pushed_is_pushed_as_ever(api: HttpApi, registry: Registry, word: str) -> None:
    files = script("FROM base", f"RUN echo {word} > /a")
    other = made(api, project=f"other-{word}", scopes=["read", "build", "push"])["token"]
    with FaultyRegistry(registry.port) as gate, HttpApi(api.url, other) as stranger:
        name = f"{gate.address}/app-{word}:1"
        api.succeed(files)
        theirs = api.succeed(files, tags=[name], push=True)
        stranger.succeed(files)
        gate.fault(WRITING, 403)

        job = stranger.build(files, tags=[name], push=True)

    assert job.result.image_id == theirs.result.image_id
    assert job.error is not None
    assert job.error.slug == "registry-denied"


def test_image_that_is_gone_is_built_again(api: HttpApi, dockerd: Dockerd, word: str) -> None:
    files = script("FROM base", f"RUN echo {word} > /a")
    first = api.succeed(files, tags=[f"gone-{word}"])
    removed = dockerd.docker("image", "rm", "--force", str(first.result.image_id))
    assert removed.returncode == 0, removed.stderr

    job = api.succeed(files, tags=[f"gone-{word}"])

    assert answered(job) is None
    assert output_of(dockerd, f"gone-{word}", "cat", "/a") == f"{word}\n"


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (("FROM base", "RUN echo {word}"), {"builder": "classic"}),
        (("FROM base", "ADD a /a", "RUN echo {word}"), {}),
        (
            ("FROM base", "RUN --mount=type=secret,id=s echo {word}"),
            {"secrets": {"s": base64.b64encode(b"x").decode()}},
        ),
    ],
    ids=["classic builder", "ADD", "secret"],
)
def test_what_can_not_be_told_is_built(
    api: HttpApi, word: str, lines: tuple[str, ...], options: dict[str, object]
) -> None:
    files = {**script(*(line.format(word=word) for line in lines)), "a": b"a"}
    api.succeed(files, **options)

    assert answered(api.succeed(files, **options)) is None
