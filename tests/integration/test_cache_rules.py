"""Docker's rules of the build cache, as the recorded steps show them, on both builders.

The rules: https://docs.docker.com/build/cache/invalidation/ and, for the classic builder, the Dockerfile guide of its
time. A step comes from the cache if its own text, what it adds and its parent are the same, and not otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.stack import Stack
from shipway.models.event import StepStatus
from shipway.models.job import Job
from tests.integration.contexts import once, script
from tests.integration.fleet import Fleet, output_of
from tests.integration.http_api import HttpApi, user_steps
from tests.support.source_server import SourceServer
from tests.unit.context.archives import END, member

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])


def cached(job: Job, *words: str) -> list[bool]:
    """Whether the steps with these words came from the cache.

    Of steps of one name the last counts: the current BuildKit calls the download of an `ADD URL` by the same.
    """
    found = [[step for step in user_steps(job) if word in step.name][-1] for word in words]
    assert {step.status for step in found} <= {StepStatus.CACHED, StepStatus.EXECUTED}
    return [step.status is StepStatus.CACHED for step in found]


@dataclass(frozen=True)
class Recipe:
    """A build of four steps, all of which may be changed one by one."""

    env: str
    first: str
    content: bytes = b"content"
    mode: int = 0o644
    mtime: float = 1_700_000_000
    beside: bytes = b""
    default: str = "ada"
    options: Mapping[str, object] = field(default_factory=dict)

    def build(self, api: HttpApi, builder: str) -> list[bool]:
        """Build; returns whether the first RUN, the COPY and the last RUN came from the cache."""
        lines = (
            *("FROM base", f"ENV WORD={self.env}", f"RUN echo first {self.first}", "COPY file /file"),
            *(f"ARG WHO={self.default}", "RUN echo last"),
        )
        files = {**script(*lines), "beside": self.beside}
        archive = b"".join(member(path, content) for path, content in files.items())
        archive += member("file", self.content, mode=self.mode, mtime=self.mtime) + END
        return cached(api.succeed(archive, builder=builder, **self.options), "echo first", "COPY", "echo last")


class Built:
    """A recipe that was built once with a builder."""

    def __init__(self, api: HttpApi, builder: str) -> None:
        self._api = api
        self._builder = builder
        self._recipe = Recipe(once(), once())
        self._recipe.build(api, builder)

    def again(self, **changes: object) -> list[bool]:
        """Build it with some changes."""
        return replace(self._recipe, **changes).build(self._api, self._builder)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["buildkit", "classic"])
def built(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Built]:
    with HttpApi(stack.service.url, stack.token) as api:
        yield Built(api, request.param)


RULES: dict[str, tuple[dict[str, object], list[bool]]] = {
    "nothing changed": ({}, [True, True, True]),
    "another time of a copied file": ({"mtime": 1_600_000_000}, [True, True, True]),
    "a file that nothing copies": ({"beside": b"changed"}, [True, True, True]),
    "other content of a copied file": ({"content": b"changed"}, [True, False, False]),
    "another mode of a copied file": ({"mode": 0o755}, [True, False, False]),
    "another default of an argument": ({"default": "bob"}, [True, True, False]),
    "another value of an argument": ({"options": {"build_args": {"WHO": "eve"}}}, [True, True, False]),
    "another text of a command": ({"first": "changed"}, [False, False, False]),
    "another variable": ({"env": "changed"}, [False, False, False]),
    "another name of the image": ({"options": {"tags": ["renamed"]}}, [True, True, True]),
    "no cache wanted": ({"options": {"no_cache": True}}, [False, False, False]),
}


@pytest.mark.parametrize("change", RULES)
def test_steps_after_a_change_run_again_and_those_before_do_not(built: Built, change: str) -> None:
    changes, expected = RULES[change]

    assert built.again(**changes) == expected


@BUILDERS
def test_command_is_not_run_again_for_what_it_would_find_or_write_now(
    api: HttpApi, dockerd: Dockerd, builder: str
) -> None:
    """Only the text of a RUN counts, not the files that it left or would leave: as with `apt-get update`."""
    files = script("FROM base", f"RUN cat /proc/sys/kernel/random/uuid > /drawn # {once()}")

    first, second = (api.succeed(files, builder=builder) for _ in range(2))

    assert cached(second, "RUN") == [True]
    drawn = [output_of(dockerd, job.result.image_id or "", "cat", "/drawn") for job in (first, second)]
    assert drawn[0] == drawn[1]


@BUILDERS
def test_other_files_in_the_parent_make_every_step_run_again(api: HttpApi, builder: str) -> None:
    name = f"parent-{once()}"
    found = []

    for version in (1, 1, 2):
        parent = script("FROM base", f"RUN echo {version} > /version")
        api.succeed(parent, builder=builder, tags=[name])
        job = api.succeed(script(f"FROM {name}", "RUN echo child", "RUN echo grandchild"), builder=builder)
        found.append(cached(job, "echo child", "echo grandchild"))

    assert found == [[False, False], [True, True], [False, False]]


@BUILDERS
def test_file_from_a_url_counts_by_its_content(api: HttpApi, tmp_path: Path, builder: str) -> None:
    file = tmp_path / once()
    with SourceServer(tmp_path) as server:
        files = script("FROM scratch", f"ADD {server.url}/{file.name} /added")
        steps = []
        for content in ("one", None, "two"):
            if content is not None:  # writing the same anew would change its time, which BuildKit counts for a URL
                file.write_text(content)
            steps.append(cached(api.succeed(files, builder=builder), "ADD"))

    assert steps == [[False], [True], [False]]


@BUILDERS
def test_daemon_without_a_cache_takes_it_from_an_image(fleet: Fleet, builder: str) -> None:
    """BuildKit reads the cache out of the registry; the classic builder needs the image on its daemon, as in Docker."""
    base, image = (f"{fleet.registry.address}/cache/{what}:{once()}" for what in ("base", "image"))
    fleet.one.docker("tag", "base", base)
    assert fleet.one.docker("push", base).returncode == 0
    files = {**script(f"FROM {base}", f"RUN echo {once()}", "COPY a /a"), "a": b"a"}

    with HttpApi(fleet.stack.service.url, fleet.stack.token) as api:
        inline = {"BUILDKIT_INLINE_CACHE": "1"} if builder == "buildkit" else {}
        api.succeed(files, builder=builder, worker="one", tags=[image], push=True, build_args=inline)
        if builder == "classic":
            assert fleet.two.docker("pull", image).returncode == 0
        warm = api.succeed(files, builder=builder, worker="two", cache_from=[image])

    assert cached(warm, "RUN", "COPY") == [True, True]
