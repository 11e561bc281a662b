"""The command as users and scripts meet it: a process with streams, files and an exit code."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from shipway.models.error import Problem
from shipway.models.event import Event, LogChunk, Pushed, StateChanged, Step, StepChanged, StepStatus
from tests.unit.cli.conftest import COMMAND, Shipway
from tests.unit.client.stand_in import DIGEST, IMAGE, JOB, StandIn, problem


def succeed(service: StandIn) -> None:
    base = Step(number=1, name="[1/3] FROM base", status=StepStatus.CACHED)
    copy = Step(number=2, name="[2/3] COPY . .", status=StepStatus.EXECUTED, started=1.0, completed=2.5)
    run = Step(number=3, name="[3/3] RUN true", status=StepStatus.CACHED)
    pushed = {"reference": "r:5000/a:1", "digest": "sha256:" + "d" * 64}
    service.result = {
        "steps": (base, copy, run),
        "result": {"image_id": IMAGE, "pushed": [pushed], "seconds_saved": 41.0},
        "cache_hit_ratio": 0.5,
    }
    service.script(StateChanged(state="running", worker="w1"), StepChanged(step=base), StepChanged(step=copy))
    service.script(LogChunk(step=2, text="hello\n"), StepChanged(step=run))
    service.script(Pushed.model_validate(pushed), StateChanged(state="succeeded"))


def fail(service: StandIn) -> None:
    running = Step(number=3, name="[3/3] RUN exit 3", status=StepStatus.RUNNING, started=1.0)
    failed = running.model_copy(update={"status": StepStatus.FAILED, "error": "exit code: 3"})
    error = Problem(slug="step-failed", message="RUN exit 3: exit code 3", step="[3/3] RUN exit 3")
    service.result = {"steps": (failed,)}
    service.script(StepChanged(step=running), LogChunk(step=3, text="about to fail\n"), StepChanged(step=failed))
    service.script(StateChanged(state="failed", error=error))


def test_help_needs_no_service(shipway: Shipway) -> None:
    assert "build" in shipway("--help").stdout


def test_shells_complete_commands(environment: dict[str, str]) -> None:
    """As bash does it, which reads the script at its start: by a function that runs the command."""
    path = f"{Path(sys.executable).parent}:{environment['PATH']}"
    bash = environment | {"PATH": path, "SHELL": "/bin/bash"}
    subprocess.run(["shipway", "--install-completion"], env=bash, capture_output=True, check=True)
    typed = {"shipway pu": "push pull", "shipway webhook de": "deliveries", "shipway build --progress pl": "plain"}
    asking = (
        '. ~/.bashrc; ask() { COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 _python_argcomplete shipway "" "";'
        ' echo ${COMPREPLY[@]}; }; for line in "$@"; do ask "$line"; done'
    )
    done = subprocess.run(["bash", "-c", asking, "-", *typed], env=bash, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == list(typed.values())


def test_help_loads_none_of_the_heavy_libraries(environment: dict[str, str]) -> None:
    code = "import sys, shipway.cli.app; print([m for m in ('httpx', 'pydantic', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_build_that_succeeds(shipway: Shipway, service: StandIn) -> None:
    succeed(service)
    done = shipway(
        "build", "context", "-t", "r:5000/a:1", "--push", "--build-arg", "HOME", "--label", "x=y", "--timeout", "5m"
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert "#1 CACHED" in done.stderr
    assert "#2 DONE 1.5s" in done.stderr
    assert "1/2 steps cached, 41.0s saved" in done.stderr  # FROM is none of them: it runs nothing
    assert done.stderr.count(f"pushed r:5000/a:1 sha256:{'d' * 64}\n") == 1
    sent = service.builds[0][1]
    assert (sent["tags"], sent["push"], sent["labels"], sent["timeout"]) == (["r:5000/a:1"], True, {"x": "y"}, 300)
    assert sent["build_args"]["HOME"]


def test_a_build_that_fails_shows_step_lines_and_place(shipway: Shipway, service: StandIn) -> None:
    fail(service)
    done = shipway("build", "context", "-q")

    assert (done.returncode, done.stdout) == (1, "")
    assert " > [3/3] RUN exit 3:\n" in done.stderr
    assert "about to fail" in done.stderr
    assert "   3 | >>> RUN exit 3" in done.stderr
    assert "error: RUN exit 3: exit code 3 (step-failed)" in done.stderr


def test_quiet_prints_the_image_id_and_nothing_else(shipway: Shipway, service: StandIn) -> None:
    succeed(service)
    done = shipway("build", "context", "-q")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{IMAGE}\n", "")


def test_detach_prints_the_job_id_and_nothing_else(shipway: Shipway, service: StandIn) -> None:
    service.hold = True
    done = shipway("build", "context", "--detach")

    assert (done.returncode, done.stdout) == (0, f"{JOB}\n")


def test_files_for_scripts(shipway: Shipway, service: StandIn, tmp_path: Path) -> None:
    succeed(service)
    done = shipway("build", "context", "-t", "a", "--iidfile", "iid", "--metadata-file", "meta.json")
    meta = json.loads((tmp_path / "meta.json").read_text())

    assert done.returncode == 0
    assert (tmp_path / "iid").read_text() == IMAGE
    assert (meta["id"], meta["image_id"], meta["cache_hit_ratio"]) == (JOB, IMAGE, 0.5)
    assert meta["containerimage.digest"] == meta["digests"]["r:5000/a:1"] == "sha256:" + "d" * 64
    assert [step["status"] for step in meta["steps"]] == ["cached", "executed", "cached"]


def test_a_failed_build_writes_no_image_id(shipway: Shipway, service: StandIn, tmp_path: Path) -> None:
    fail(service)
    shipway("build", "context", "--iidfile", "iid", "--metadata-file", "meta.json")

    assert not (tmp_path / "iid").exists()
    assert not (tmp_path / "meta.json").exists()


def test_json_progress_is_one_event_a_line(shipway: Shipway, service: StandIn) -> None:
    succeed(service)
    done = shipway("build", "context", "--progress", "json")

    assert [Event.model_validate_json(line).seq for line in done.stderr.splitlines()] == list(range(1, 8))


@pytest.mark.parametrize(
    "args",
    [
        ["build", "--no-such-option"],
        ["build", "context", "--secret", "src=x"],
        ["build", "context", "--build-arg", "=x"],
        ["build", "context", "--progress", "fancy"],
        ["build", "context", "--timeout", "soon"],
        ["build", "context", "--detach", "--iidfile", "x"],
        ["commit"],
        ["commit", "image", "--container", "c"],
        ["commit", "image", "--copy", "x"],
        ["load", "--workers", "a,,b"],
        ["prune", "--keep-storage", "much"],
        ["export", "image", "--container", "c"],
        ["show"],
        ["launch"],
    ],
)
def test_wrong_usage_is_exit_code_2(args: list[str], shipway: Shipway, service: StandIn) -> None:
    done = shipway(*args)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Error" in done.stderr
    assert service.contexts == []


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        (["build", "nowhere"], "context-missing"),
        (["build", "context", "-f", "nowhere"], "dockerfile-missing"),
        (["build", "context", "-t", "No/Name"], "invalid-image-name"),
        (["build", "context", "--push"], "push-without-tag"),
        (["build", "-", "-f", "-"], "stdin-twice"),
        (["show", "NOSUCHJOB"], "job-unknown"),
        (["show", "../workers"], "job-id-invalid"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(args: list[str], slug: str, shipway: Shipway) -> None:
    done = shipway(*args)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith(f"({slug})\n")


def test_a_service_that_refuses_is_quoted(shipway: Shipway, service: StandIn) -> None:
    service.refuse("/v1/contexts", problem(413, "context-too-large", "at most 1 GiB"))
    done = shipway("build", "context")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: at most 1 GiB (context-too-large)"


def test_a_dockerfile_on_standard_input(shipway: Shipway, service: StandIn) -> None:
    succeed(service)
    service.result["error"] = None

    assert shipway("build", "-", "-q", stdin=b"FROM scratch\n").returncode == 0
    assert service.members() == ["Dockerfile"]


def test_a_dockerfile_on_standard_input_for_a_directory(shipway: Shipway, service: StandIn) -> None:
    succeed(service)

    assert shipway("build", "context", "-f", "-", "-q", stdin=b"FROM scratch\n").returncode == 0
    assert [service.members(0), service.members(1)] == [["Dockerfile"], ["Dockerfile"]]
    assert service.builds[0][1]["dockerfile_context"] == DIGEST


def test_a_tar_on_standard_input(shipway: Shipway, service: StandIn) -> None:
    succeed(service)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("my.Dockerfile"))

    assert shipway("build", "-", "-f", "my.Dockerfile", "-q", stdin=packed.getvalue()).returncode == 0
    assert service.contexts == [packed.getvalue()]
    assert service.builds[0][1]["dockerfile"] == "my.Dockerfile"


def test_dash_f_is_relative_to_where_the_user_is(shipway: Shipway, service: StandIn) -> None:
    succeed(service)

    assert shipway("build", "context", "-f", "context/Dockerfile", "-q").returncode == 0
    assert "dockerfile_context" not in service.builds[0][1]


def test_only_logins_that_the_build_needs_are_sent(shipway: Shipway, service: StandIn, tmp_path: Path) -> None:
    succeed(service)
    (tmp_path / "context" / "Dockerfile").write_text("FROM base.example/x\n")
    (tmp_path / ".docker").mkdir()
    hosts = ["base.example", "push.example", "cache.example", "other.example"]
    auths = {host: {"auth": "dTpw"} for host in hosts}
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": auths}))
    shipway("build", "context", "-q", "-t", "push.example/a", "--push", "--cache-from", "cache.example/c")
    shipway("build", "context", "-q", "-t", "push.example/a")

    assert [sorted(sent["registries"]) for _, sent in service.builds] == [
        ["base.example", "cache.example", "push.example"],
        ["base.example"],
    ]


def test_show_json_is_the_job_as_the_api_gives_it(shipway: Shipway, service: StandIn) -> None:
    succeed(service)
    shown = json.loads(shipway("show", JOB, "--json").stdout)

    assert shown == service.job.model_dump(mode="json") | {"from_the_future": 1}


def test_show_lists_steps_and_results(shipway: Shipway, service: StandIn) -> None:
    succeed(service)
    lines = shipway("show", JOB).stdout

    assert "CACHED" in lines
    assert "[2/3] COPY . ." in lines
    assert IMAGE in lines


def test_ps_shows_what_goes_on_and_all_on_demand(shipway: Shipway, service: StandIn) -> None:
    succeed(service)

    assert JOB not in shipway("ps").stdout
    assert JOB in shipway("ps", "-a").stdout
    assert [job["id"] for job in json.loads(shipway("ps", "--all", "--json").stdout)["jobs"]] == [JOB]
    service.hold = True
    assert JOB in shipway("ps").stdout


def test_workers_cancel_and_version(shipway: Shipway, service: StandIn) -> None:
    assert "linux/amd64" in shipway("workers").stdout
    assert json.loads(shipway("workers", "--json").stdout)["workers"][0]["name"] == "w1"
    assert shipway("cancel", JOB).stdout == f"{JOB}\n"
    assert shipway("version").stdout.startswith("shipway ")
    assert shipway("--version").stdout == shipway("version").stdout


def test_cancelling_what_is_over_says_so(shipway: Shipway, service: StandIn) -> None:
    succeed(service)
    done = shipway("cancel", JOB)

    assert (done.returncode, done.stderr) == (1, f"job {JOB} had already succeeded\n")


def test_logs_are_printed_as_they_are_and_followed_as_lines(shipway: Shipway, service: StandIn) -> None:
    succeed(service)
    service.log = "raw \x1b[2J\n"

    assert shipway("logs", JOB).stdout == service.log
    followed = shipway("logs", "-f", JOB)
    assert followed.returncode == 0
    assert "#2 1.000 hello" in followed.stdout
    assert f"job {JOB} succeeded" in followed.stdout


def test_a_terminal_gets_the_live_display(environment: dict[str, str], service: StandIn) -> None:
    succeed(service)
    output, code = on_terminal(environment, "build", "context")

    assert code == 0
    assert "CACHED" in output
    assert "[2/3] COPY . ." in output
    assert "1.5s" in output
    assert "1/2 steps cached" in output


def on_terminal(environment: dict[str, str], *args: str) -> tuple[str, int]:
    """Run the command with a terminal for its three streams; what it wrote there, and its exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *args], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=environment["HOME"]
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 4096):
            parts.append(part)
    except OSError:
        pass  # Linux reports the end of a terminal as an error
    os.close(ours)
    return b"".join(parts).decode(errors="replace"), process.wait(20)
