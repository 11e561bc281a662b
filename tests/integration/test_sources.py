"""Every kind of context that `docker build` takes, and every way a Dockerfile names files and images."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.stack import Stack
from shipway.models.event import StepStatus
from shipway.models.job import Job, JobState
from tests.integration.command import Shipway, write
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import HttpApi, user_steps
from tests.integration.leftovers import nothing_left, processes_with
from tests.support.source_server import GitDaemon, Repository, SourceServer

BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])
CURRENT = 28
LISTING = "RUN cd /all && find . -type f | sort > /listing"


@pytest.fixture
def shipway(stack: Stack, tmp_path: Path) -> Shipway:
    return Shipway(stack.service.url, stack.token, tmp_path)


def content(dockerd: Dockerd, image: str, *paths: str) -> str:
    """The content of files of an image."""
    ran = dockerd.docker("run", "--rm", "--network=none", image.strip(), "cat", *paths)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceServer]:
    with SourceServer(tmp_path_factory.mktemp("sources")) as running:
        yield running


@pytest.fixture(scope="module")
def repository(server: SourceServer) -> Repository:
    """`app.git`: a submodule beside it, a tag `v1` with a directory `deep`, a branch that lacks all that."""
    library = Repository(server.folder, "library")
    library.commit({"lib.txt": b"from the library"})
    app = Repository(server.folder, "app")
    app.git("remote", "add", "origin", f"{server.url}/app.git")
    app.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"{server.url}/library.git", "lib")
    app.git("config", "--file", ".gitmodules", "submodule.lib.url", "../library.git")
    files = {
        **script("FROM base", "COPY . /all", LISTING),
        ".dockerignore": b"*.log\n",
        "noise.log": b"noise",
        "deep/Dockerfile": b"FROM base\nCOPY . /all\n" + LISTING.encode(),
        "deep/only": b"deep",
    }
    app.commit(files)
    app.git("tag", "v1")
    app.git("push", "--quiet", app.served, "v1")
    app.git("rm", "--quiet", "-r", "deep", "lib", ".gitmodules")
    app.commit({"late": b"late"}, branch="release/2")
    return app


@BUILDERS
def test_repository_comes_with_its_submodule_and_without_its_history(
    shipway: Shipway, server: SourceServer, repository: Repository, dockerd: Dockerd, builder: str
) -> None:
    image = shipway.ok("build", f"{server.url}/app.git", "-q", "--builder", builder)

    found = content(dockerd, image, "/listing").split()
    assert "./lib/lib.txt" in found
    assert "./deep/only" in found
    assert not [path for path in found if path.startswith("./.git/") or path.endswith(".log")]


def test_reference_and_directory_of_a_repository(
    shipway: Shipway, server: SourceServer, repository: Repository, dockerd: Dockerd
) -> None:
    digest = repository.git("rev-parse", "v1").strip()
    first = {"deep": "#v1:deep", "commit": f"#{digest}:deep", "branch": "#release/2"}

    found = {
        what: content(dockerd, shipway.ok("build", f"{server.url}/app.git{fragment}", "-q"), "/listing").split()
        for what, fragment in first.items()
    }

    assert found["deep"] == found["commit"] == ["./Dockerfile", "./only"]
    assert "./late" in found["branch"]
    assert "./deep/only" not in found["branch"]


def test_repository_by_gits_own_protocol(
    shipway: Shipway, server: SourceServer, repository: Repository, dockerd: Dockerd
) -> None:
    with GitDaemon(server.folder) as daemon:
        image = shipway.ok("build", f"{daemon.url}/app.git#v1:deep", "-q")

    assert content(dockerd, image, "/listing").split() == ["./Dockerfile", "./only"]


@BUILDERS
def test_tarball_and_dockerfile_at_urls(shipway: Shipway, server: SourceServer, dockerd: Dockerd, builder: str) -> None:
    word = once()
    files = {**script("FROM scratch"), "other/Recipe": b"FROM base\nCOPY a /a\n", "a": word.encode()}
    (server.folder / "context.tar.gz").write_bytes(gzip.compress(tar_of(files)))
    (server.folder / "Recipe").write_text(f"FROM base\nRUN echo {word} > /a\n")

    tarball = shipway.ok("build", f"{server.url}/context.tar.gz", "-f", "other/Recipe", "-q", "--builder", builder)
    alone = shipway.ok("build", f"{server.url}/Recipe", "-q", "--builder", builder)

    assert [content(dockerd, image, "/a").strip() for image in (tarball, alone)] == [word, word]


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("/nowhere.tar", "remote-refused"),
        ("/nowhere.git", "git-failed"),
        ("/app.git#no-such-branch", "git-failed"),
        ("/app.git#--upload-pack=touch", "git-reference-invalid"),
        ("/app.git#v1:nowhere", "git-directory-missing"),
        ("/app.git#v1:../..", "git-directory-missing"),
        ("/truncated.tar.gz", "context-truncated"),
        ("/prose.txt", "dockerfile-syntax"),
    ],
)
def test_useless_url_is_told_and_leaves_nothing(
    shipway: Shipway,
    stack: Stack,
    server: SourceServer,
    repository: Repository,
    dockerd: Dockerd,
    path: str,
    slug: str,
) -> None:
    (server.folder / "truncated.tar.gz").write_bytes(gzip.compress(tar_of({"a": once().encode() * 99}))[:100])
    (server.folder / "prose.txt").write_text("Once upon a time\n")

    with nothing_left(stack, dockerd):
        done = shipway("build", f"{server.url}{path}")

    assert (done.returncode, f"({slug})" in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr


def test_directory_with_a_dockerfile_and_an_ignore_file_of_its_own(shipway: Shipway, dockerd: Dockerd) -> None:
    """The file beside the Dockerfile counts, and the one in the root does not."""
    files = {
        ".dockerignore": b"kept\n",
        "docker/app.Dockerfile": b"FROM base\nCOPY . /all\n" + LISTING.encode(),
        "docker/app.Dockerfile.dockerignore": b"dropped\n.dockerignore\ndocker\n",
        "kept": b"",
        "dropped": b"",
    }
    write(shipway.folder / "context", files)
    write(shipway.folder / "outside", {"Recipe": files["docker/app.Dockerfile"]})
    write(shipway.folder / "outside", {"Recipe.dockerignore": files["docker/app.Dockerfile.dockerignore"]})

    inside = shipway.ok("build", "context", "-f", "context/docker/app.Dockerfile", "-q")
    outside = shipway.ok("build", "context", "-f", "outside/Recipe", "-q")

    assert [content(dockerd, image, "/listing").split() for image in (inside, outside)] == [["./kept"], ["./kept"]]


@BUILDERS
def test_tar_on_standard_input_with_a_dockerfile_inside(shipway: Shipway, dockerd: Dockerd, builder: str) -> None:
    word = once()
    packed = gzip.compress(tar_of({"docker/app": b"FROM base\nCOPY a /a\n", "a": word.encode()}))

    image = shipway.ok("build", "-", "-f", "docker/app", "-q", "--builder", builder, stdin=packed)

    assert content(dockerd, image, "/a") == word


@BUILDERS
def test_escape_line_changes_how_lines_continue(api: HttpApi, dockerd: Dockerd, builder: str) -> None:
    word = once()

    job = api.succeed(script("# escape=`", "FROM base", f"RUN echo {word}\\\\ `", " > /a"), builder=builder)

    assert content(dockerd, job.result.image_id or "", "/a") == f"{word}\\\n"


def test_syntax_line_names_an_image_that_must_be_there(api: HttpApi, stack: Stack, dockerd: Dockerd) -> None:
    """A frontend comes from a registry, and one that hasn't got it is told like any other image."""
    assert stack.registry is not None
    name = f"{stack.registry.address}/no-such/frontend:1"

    with nothing_left(stack, dockerd):
        job = api.build(script(f"# syntax={name}", "FROM base", f"RUN echo {once()}"))

    assert job.state is JobState.FAILED
    assert job.error is not None
    assert (job.error.slug, job.error.retryable, name in job.error.message) == ("base-image-unknown", False, True)


@BUILDERS
def test_triggers_of_the_base_image_run_in_the_child(api: HttpApi, dockerd: Dockerd, builder: str) -> None:
    name = f"parent-{once()}"
    api.succeed(script("FROM base", "ONBUILD COPY a /a", "ONBUILD RUN cp /a /b"), builder=builder, tags=[name])
    word = once()

    job = api.succeed({**script(f"FROM {name}"), "a": word.encode()}, builder=builder)

    assert content(dockerd, job.result.image_id or "", "/a", "/b") == word * 2
    config = json.loads(dockerd.docker("image", "inspect", job.result.image_id or "").stdout)[0]["Config"]
    assert not config.get("OnBuild")


@BUILDERS
def test_files_come_from_stages_by_name_by_number_and_from_images(api: HttpApi, dockerd: Dockerd, builder: str) -> None:
    word = once()
    lines = (
        *("FROM base AS one", f"RUN echo {word} > /one", "FROM base", f"RUN echo {word} > /two"),
        *("FROM base", "COPY --from=one /one /", "COPY --from=1 /two /", "COPY --from=base /etc/passwd /three"),
    )

    job = api.succeed(script(*lines), builder=builder)

    assert content(dockerd, job.result.image_id or "", "/one", "/two") == f"{word}\n" * 2
    assert "root" in content(dockerd, job.result.image_id or "", "/three")


def test_mounts_of_a_step(api: HttpApi, dockerd: Dockerd) -> None:
    """A cache lives from build to build; a bind shows files of the context or a stage and copies none."""
    word = once()
    cache = f"--mount=type=cache,id={word},target=/cache"

    def build(line: str) -> str:
        lines = ("FROM base AS first", "RUN echo staged > /staged", "FROM base", line)
        return api.succeed({**script(*lines), "a": word.encode()}).result.image_id or ""

    build(f"RUN {cache} echo {word} > /cache/left")
    cached = build(f"RUN {cache} cp /cache/left /found")
    bound = build(
        "RUN --mount=type=bind,target=/src --mount=type=bind,from=first,source=/staged,target=/staged "
        "cat /src/a /staged > /found"
    )

    assert content(dockerd, cached, "/found") == f"{word}\n"
    assert content(dockerd, bound, "/found") == f"{word}staged\n"
    assert dockerd.docker("run", "--rm", "--network=none", bound, "ls", "-A", "/src").stdout == ""


def test_here_documents(api: HttpApi, dockerd: Dockerd) -> None:
    """Engine 20.10's own Dockerfile frontend does not know them yet, and says so at the line."""
    word = once()
    files = script("FROM base", "COPY <<EOT /a", word, "EOT", "RUN <<EOT", "cp /a /b", "EOT")

    job = api.build(files)

    if int(dockerd.api.version().split(".")[0]) >= CURRENT:
        assert job.state is JobState.SUCCEEDED, job.error
        assert content(dockerd, job.result.image_id or "", "/a", "/b") == f"{word}\n" * 2
        assert [s.status for s in user_steps(job) if "COPY" in s.name] == [StepStatus.EXECUTED]
    else:
        assert job.error is not None
        assert (job.error.slug, word.upper() in job.error.message) == ("dockerfile-syntax", True)


@pytest.fixture
def knows_contexts(dockerd: Dockerd) -> bool:
    """Whether the engine's own Dockerfile frontend knows further contexts."""
    return int(dockerd.api.version().split(".")[0]) >= CURRENT


def test_further_contexts(
    shipway: Shipway,
    stack: Stack,
    server: SourceServer,
    repository: Repository,
    dockerd: Dockerd,
    *,
    knows_contexts: bool,
) -> None:
    """A directory with its own ignore file, an image, a repository; one takes the place of a base image."""
    word = once()
    lines = ("FROM nowhere.example/base AS app", "COPY --from=more . /more", "COPY --from=image /etc/passwd /image")
    write(
        shipway.folder / "context", script(*lines, "COPY --from=code only /code", f"RUN find /more > /found # {word}")
    )
    write(shipway.folder / "more", {"kept": word.encode(), "dropped": b"", ".dockerignore": b"dropped\n"})
    sources = {
        "nowhere.example/base": "docker-image://base",
        "more": "more",
        "image": "docker-image://base:latest",
        "code": f"{server.url}/app.git#v1:deep",
    }
    given = [word for name, source in sources.items() for word in ("--build-context", f"{name}={source}")]

    with nothing_left(stack, dockerd) if not knows_contexts else nullcontext():
        done = shipway("build", "context", "-q", *given)

    if knows_contexts:
        assert done.returncode == 0, done.stderr
        assert content(dockerd, done.stdout, "/more/kept", "/code") == f"{word}deep"
        assert "dropped" not in content(dockerd, done.stdout, "/found")
    else:
        assert (done.returncode, "(build-contexts-unsupported)" in done.stderr) == (1, True), done.stderr


def test_build_with_further_contexts_is_like_any_other(api: HttpApi, dockerd: Dockerd, *, knows_contexts: bool) -> None:
    """Options, cached steps, a step that fails, and cancelling: BuildKit is asked another way, and nobody notices."""
    if not knows_contexts:
        pytest.skip("this engine knows no further contexts")
    word, named = once(), {"more": api.upload({"a": once().encode()})}
    lines = ("FROM base AS app", "ARG WHO", "COPY --from=more a /a", f"RUN echo $WHO > /who # {word}")

    def build(*more: str) -> Job:
        options = {"target": "app", "build_args": {"WHO": word}, "labels": {"l": "é"}, "network": "none"}
        return api.succeed(script(*lines, *more), build_contexts=named, extra_hosts=["one.test:192.0.2.1"], **options)

    first, second = build(), build("FROM scratch")
    failing = api.build(script(*lines, "RUN echo said; exit 3"), build_contexts=named, no_cache=True)
    endless = api.submit(script(*lines, f"RUN echo up; sleep 600 # {word}"), build_contexts=named)
    api.wait_for_text(endless.id, "up")
    api.cancel(endless.id)

    assert content(dockerd, first.result.image_id or "", "/who") == f"{word}\n"
    assert (first.result.image_id, second.cache_hit_ratio) == (second.result.image_id, 1)
    assert dockerd.docker("inspect", "-f", "{{.Config.Labels.l}}", first.result.image_id or "").stdout == "é\n"
    assert failing.error is not None
    assert (failing.error.slug, "exit 3" in (failing.error.step or "")) == ("step-failed", True)
    assert "said" in api.log(failing.id)
    assert api.wait(endless.id).state is JobState.CANCELLED
    assert not processes_with(f"sleep 600 # {word}")


@pytest.mark.parametrize(
    ("words", "slug"),
    [
        (("--build-context", "more=nowhere"), "context-missing"),
        (("--build-context", "More=."), "invalid-context-name"),
        (("--build-context", "more=docker-image://x/../../y"), "invalid-image-name"),
        (("--build-context", "more=sha256:" + "0" * 64), "context-unknown"),
        (("--build-context", "more=.", "--builder", "classic"), "build-contexts-unsupported"),
    ],
)
def test_further_context_that_is_none_is_told(shipway: Shipway, words: tuple[str, ...], slug: str) -> None:
    write(shipway.folder, script("FROM base"))

    done = shipway("build", ".", *words)

    assert (done.returncode, f"({slug})" in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
