"""The `shipway` command against the real service, worker, daemon and registry."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from deploy.local.dockerd import Dockerd
from deploy.local.registry import Registry
from deploy.local.stack import Stack
from shipway.models.job import JobState
from shipway.models.spec import BuildSpec
from tests.integration.command import Shipway, write
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import HttpApi
from tests.integration.leftovers import processes_with

pytestmark = pytest.mark.engine_independent


@pytest.fixture
def shipway(stack: Stack, tmp_path: Path) -> Shipway:
    return Shipway(stack.service.url, stack.token, tmp_path)


def test_build_pushes_and_writes_what_it_was_asked_to(shipway: Shipway, registry: Registry, dockerd: Dockerd) -> None:
    """Two names, an argument, a label, a secret, a target: everything reaches the image."""
    write(
        shipway.folder / "app",
        {
            "Dockerfile": b"ARG BASE\nFROM ${BASE} AS first\nARG WORD\n"
            b"RUN --mount=type=secret,id=pin cat /run/secrets/pin | wc -c > /length && echo $WORD > /word\n"
            b"FROM first AS last\nRUN touch /last\n"
        },
    )
    (shipway.folder / "pin.txt").write_text("12345")
    names = [f"{registry.address}/cli/app:{once()[:8]}" for _ in range(2)]

    done = shipway(
        *("build", "app", "-t", names[0], "-t", names[1], "--push", "--target", "first", "--build-arg", "BASE=base"),
        *("--build-arg", f"WORD={once()}", "--label", "a=b", "--secret", "id=pin,src=pin.txt"),
        *("--iidfile", "iid", "--metadata-file", "meta.json", "--progress", "plain"),
    )

    assert done.returncode == 0, done.stderr
    meta = json.loads((shipway.folder / "meta.json").read_text())
    assert (shipway.folder / "iid").read_text().strip() == meta["image_id"]
    for name in names:
        assert meta["containerimage.digest"] in done.stderr
        ran = dockerd.docker("run", "--rm", "--network=none", name, "cat", "/length")
        assert ran.stdout.strip() == "5", ran.stderr
    labels = json.loads(dockerd.docker("image", "inspect", names[0]).stdout)[0]["Config"]["Labels"]
    assert labels == {"a": "b"}


def test_quiet_build_prints_the_image_id_alone(shipway: Shipway) -> None:
    write(shipway.folder, script("FROM base", f"RUN echo {once()}"))

    done = shipway("build", ".", "-q")

    assert done.returncode == 0
    assert done.stdout.startswith("sha256:")
    assert len(done.stdout.splitlines()) == 1


def test_detached_build_prints_its_id_and_nothing_else(shipway: Shipway, api: HttpApi) -> None:
    write(shipway.folder, script("FROM base", f"RUN echo {once()}"))

    printed = shipway.ok("build", ".", "--detach")

    job_id = printed.removesuffix("\n")
    job = api.wait(job_id)
    assert (job.state, job.spec.priority) == (JobState.SUCCEEDED, 7)


def test_directory_that_the_service_has_is_not_sent_again(shipway: Shipway) -> None:
    write(shipway.folder / "app", script("FROM base", f"RUN echo {once()}") | {"note": b"1"})

    def sent() -> str:
        done = shipway("build", "app", "--progress", "plain")
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()[0].partition(", context ")[2]

    first, again = sent(), sent()
    (shipway.folder / "app" / "note").write_bytes(b"2")
    changed = sent()

    assert "spared" not in first + changed
    assert again.startswith("0B (")


def test_show_gives_the_job_exactly_as_the_api_does(shipway: Shipway, api: HttpApi) -> None:
    job = api.succeed(script("FROM base", f"RUN echo {once()}"))

    shown = json.loads(shipway.ok("show", job.id, "--json"))

    assert shown == api.http.get(f"/v1/jobs/{job.id}").json()
    assert (shown["id"], shown["state"]) == (job.id, "succeeded")


def test_context_on_standard_input(shipway: Shipway) -> None:
    word = once()

    for stdin in (
        tar_of({**script("FROM base", "COPY a /a"), "a": word.encode()}),
        f"FROM base\nENV A={word}".encode(),
    ):
        printed = shipway.ok("build", "-", "-q", stdin=stdin)

        assert printed.startswith("sha256:")


def test_dockerfile_from_elsewhere_and_from_standard_input(shipway: Shipway, dockerd: Dockerd) -> None:
    write(shipway.folder / "context", {"a": once().encode()})
    write(shipway.folder / "other", {"Recipe": b"FROM base\nCOPY a /from-other\n"})

    outside = shipway.ok("build", "context", "-f", "other/Recipe", "-q")
    given = shipway.ok("build", "context", "-f", "-", "-q", stdin=b"FROM base\nCOPY a /given\n")

    for image, path in ((outside, "/from-other"), (given, "/given")):
        ran = dockerd.docker("run", "--rm", "--network=none", image.strip(), "cat", path)
        assert ran.stdout == (shipway.folder / "context" / "a").read_text()


def test_ignored_files_never_leave_the_machine(shipway: Shipway, api: HttpApi) -> None:
    kept = {**script("FROM base", "COPY . /all"), ".dockerignore": b"*.log\n!keep.log\n", "keep.log": b"k"}
    write(shipway.folder / "context", {**kept, "x.log": once().encode()})

    job = api.wait(shipway.ok("build", "context", "--detach").strip())

    assert job.state is JobState.SUCCEEDED
    assert isinstance(job.spec, BuildSpec)
    assert job.spec.context == api.upload(kept)


def test_failing_build_shows_the_step_its_last_lines_and_the_place(shipway: Shipway) -> None:
    write(shipway.folder, script("FROM base", "RUN true", f"RUN echo the end is near {once()}; exit 3"))

    done = shipway("build", ".", "--progress", "plain")

    assert done.returncode == 1
    assert "the end is near" in done.stderr
    assert "exit 3" in done.stderr
    assert ">>>" in done.stderr
    assert "step-failed" in done.stderr
    assert done.stdout == ""


def test_usage_errors_end_with_2_and_touch_nothing(shipway: Shipway) -> None:
    write(shipway.folder, script("FROM base"))

    assert shipway("build", ".", "--no-such-flag").returncode == 2
    assert shipway("build", ".", "--builder", "none").returncode == 2


@pytest.mark.parametrize(
    ("words", "slug"),
    [
        (("build", ".", "-t", "x/../../containers/json"), "invalid-image-name"),
        (("build", ".", "-t", "UPPER CASE"), "invalid-image-name"),
        (("build", ".", "--push"), "push-without-tag"),
        (("build", "nowhere"), "context-missing"),
        (("show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), "job-unknown"),
        (("build", ".", "-f", "missing"), "dockerfile-missing"),
    ],
)
def test_bad_input_is_told_with_its_slug(shipway: Shipway, words: tuple[str, ...], slug: str) -> None:
    write(shipway.folder, script("FROM base"))

    done = shipway(*words)

    assert done.returncode == 1
    assert slug in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_cancels_the_job(shipway: Shipway, api: HttpApi) -> None:
    marker = once()
    write(shipway.folder, script("FROM base", f"RUN echo started; sleep 600 # {marker}"))
    process = shipway.start("build", ".", "--progress", "plain")
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if "started" in line and "RUN" not in line:
            break

    process.send_signal(signal.SIGINT)

    _, rest = process.communicate(timeout=20)
    assert process.returncode == 130, seen + rest
    job_id = seen.split("job ", 1)[1].split()[0]
    assert api.wait(job_id).state is JobState.CANCELLED
    assert not processes_with(marker)


def test_logs_follow_a_running_job_to_its_end(shipway: Shipway, api: HttpApi) -> None:
    word = once()
    job = api.submit(script("FROM base", f"RUN for i in 1 2 3; do echo $i-{word}; sleep 0.3; done"))

    followed = shipway.ok("logs", "-f", job.id)

    assert [f"{i}-{word}" in followed for i in (1, 2, 3)] == [True] * 3
    assert f"3-{word}" in shipway.ok("logs", job.id)


def test_ps_cancel_and_workers(shipway: Shipway, api: HttpApi) -> None:
    job = api.submit(script("FROM base", f"RUN echo up; sleep 600 # {once()}"))
    api.wait_for_text(job.id, "up")

    assert job.id in shipway.ok("ps")
    shipway.ok("cancel", job.id)

    assert api.wait(job.id).state is JobState.CANCELLED
    assert job.id not in shipway.ok("ps")
    assert job.id in [one["id"] for one in json.loads(shipway.ok("ps", "-a", "--json"))["jobs"]]
    assert "local-1" in shipway.ok("workers")


def test_no_service_is_told_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, script("FROM base"))

    done = Shipway("http://127.0.0.1:9", "none", tmp_path)("build", ".")

    assert done.returncode == 1
    assert "service-unreachable" in done.stderr
    assert "SHIPWAY_URL" in done.stderr
