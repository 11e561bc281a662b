"""`shipway commit`: an image of a container that a job made, or of one that a worker has."""

from __future__ import annotations

import json

import pytest

from tests.integration.command import Shipway, write
from tests.integration.contexts import once
from tests.integration.fleet import Fleet, image_id, inspected, output_of
from tests.integration.leftovers import containers, nothing_left


def test_commit_runs_commands_copies_files_and_changes_what_it_is_told(shipway: Shipway, fleet: Fleet) -> None:
    name = f"committed-{once()[:8]}:1"
    write(shipway.folder, {"conf/app.conf": b"a=1", "conf/deep/x": b"x", "one.txt": b"one"})

    done = shipway(
        *("commit", "base", "--worker", "one", "-t", name, "--author", "Ada", "--message", "by hand"),
        *("--copy", "conf:/etc/app", "--copy", "one.txt:/", "--run", "cat /etc/app/app.conf > /seen; echo said aloud"),
        *("--run", "echo last >> /seen", "-c", "ENV LETTER=b", "-c", 'CMD ["cat", "/seen"]', "-c", "EXPOSE 80/tcp"),
        *("-c", "LABEL a=b", "-c", "WORKDIR /etc", "-c", "USER 7", "-c", "VOLUME /data", "-c", "ONBUILD RUN true"),
        *("-c", 'ENTRYPOINT ["env"]'),
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == image_id(fleet.one, name)
    assert "said aloud" in done.stderr
    told = inspected(fleet.one, name)
    config = told["Config"]
    assert (told["Author"], told["Comment"], config["WorkingDir"], config["User"]) == ("Ada", "by hand", "/etc", "7")
    assert (config["Cmd"], config["Entrypoint"], config["OnBuild"]) == (["cat", "/seen"], ["env"], ["RUN true"])
    assert ("LETTER=b" in config["Env"], "80/tcp" in config["ExposedPorts"], "/data" in config["Volumes"]) == (
        True,
        True,
        True,
    )
    assert config["Labels"]["a"] == "b"
    assert output_of(fleet.one, name) == "a=1last\n"
    assert output_of(fleet.one, name, "cat", "/etc/app/deep/x", "/one.txt") == "xone"
    assert containers(fleet.one) == []
    newest = json.loads(shipway.ok("history", name, "--json"))[0]
    assert newest["comment"] == "by hand"


def test_commit_without_commands_keeps_the_configuration_of_its_image(shipway: Shipway, fleet: Fleet) -> None:
    name = f"as-it-was-{once()[:8]}:1"

    shipway.ok("commit", "base", "--worker", "one", "-t", name, "-q")

    assert inspected(fleet.one, name)["Config"]["Cmd"] == inspected(fleet.one, "base")["Config"]["Cmd"]


def test_commit_is_the_same_as_dockers_for_a_container_of_a_worker(shipway: Shipway, fleet: Fleet) -> None:
    word = once()[:8]
    container = f"kept-{word}"
    started = fleet.two.docker(
        "run", "--detach", "--network=none", f"--name={container}", "base", "sh", "-c", f"echo {word} >/w; sleep 600"
    )
    assert started.returncode == 0, started.stderr
    try:
        shipway.ok("commit", "--container", container, "--worker", "two", "-t", f"ours-{word}", "-m", "m", "--no-pause")
        assert fleet.two.docker("commit", "-m", "m", container, f"theirs-{word}").returncode == 0

        ours, theirs = (inspected(fleet.two, f"{who}-{word}") for who in ("ours", "theirs"))
        assert ours["Config"] == theirs["Config"]
        assert output_of(fleet.two, f"ours-{word}", "cat", "/w") == f"{word}\n"
        assert fleet.two.docker("inspect", "-f", "{{.State.Status}}", container).stdout == "running\n"
    finally:
        fleet.two.docker("rm", "--force", container)


def test_commit_pushes_what_it_made(shipway: Shipway, fleet: Fleet) -> None:
    name = f"{fleet.registry.address}/committed/{once()[:8]}:1"

    done = shipway("commit", "base", "--worker", "one", "-t", name, "--run", "touch /new", "--push")

    assert done.returncode == 0, done.stderr
    assert f"pushed {name} sha256:" in done.stderr
    assert fleet.two.docker("pull", name).returncode == 0


def test_commit_pulls_an_image_that_no_worker_has(shipway: Shipway, fleet: Fleet) -> None:
    name = f"{fleet.registry.address}/only/there:{once()[:8]}"
    fleet.one.docker("tag", "base", name)
    assert fleet.one.docker("push", name).returncode == 0
    fleet.one.docker("rmi", name)

    made = shipway.ok("commit", name, "-t", f"pulled-{once()[:8]}", "--run", "true").strip()

    assert made.startswith("sha256:")


BAD = {
    "unknown worker": (["base", "--worker", "nobody"], "worker-unknown"),
    "unknown container": (["--container", "no-such", "--worker", "one"], "container-unknown"),
    "container without its worker": (["--container", "no-such"], "worker-missing"),
    "commands in a container that is there": (
        ["--container", "x", "--worker", "one", "--run", "true"],
        "container-untouched",
    ),
    "unknown id": (["sha256:" + "0" * 64], "image-unknown"),
    "unknown id on a worker": (["sha256:" + "0" * 64, "--worker", "one"], "image-missing"),
    "name that is none": (["x/../../containers/json"], "invalid-image-name"),
    "change that Docker refuses": (["base", "--worker", "one", "-c", "RUN true"], "change-refused"),
    "change that is no instruction": (["base", "--worker", "one", "-c", "NONSENSE"], "change-refused"),
    "failing command": (["base", "--worker", "one", "--run", "echo before; exit 3"], "command-failed"),
    "unknown command": (["base", "--worker", "one", "--run", "no-such-command"], "command-failed"),
    "file that isn't here": (["base", "--worker", "one", "--copy", "nowhere:/x"], "copy-source-missing"),
    "relative destination": (["base", "--worker", "one", "--copy", "one.txt:x"], "copy-destination"),
    "push without a name": (["base", "--worker", "one", "--push"], "push-without-tag"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_commit_is_told_and_leaves_nothing(shipway: Shipway, fleet: Fleet, what: str) -> None:
    arguments, slug = BAD[what]
    write(shipway.folder, {"one.txt": b"one"})

    with nothing_left(fleet.stack, fleet.one, fleet.two):
        done = shipway("commit", *arguments, *([] if slug == "push-without-tag" else ["-t", f"bad-{once()[:8]}"]))

    assert done.returncode == 1
    assert f"({slug})" in done.stderr
    assert "Traceback" not in done.stderr


def test_image_that_no_registry_has_is_told_as_such(shipway: Shipway, fleet: Fleet) -> None:
    with nothing_left(fleet.stack, fleet.one, fleet.two):
        done = shipway("commit", f"{fleet.registry.address}/no/such:1", "-t", "bad")

    assert (done.returncode, "(image-unknown)" in done.stderr) == (1, True), done.stderr


def test_cancelled_commit_leaves_no_container(shipway: Shipway, fleet: Fleet) -> None:
    with nothing_left(fleet.stack, fleet.one, fleet.two):
        job_id = shipway.ok("commit", "base", "--worker", "one", "--run", "echo up; sleep 600", "--detach").strip()
        follower = shipway.start("logs", "-f", job_id)
        try:
            assert follower.stdout is not None
            assert any("up" in line for line in follower.stdout)
            shipway.ok("cancel", job_id)
            follower.communicate(timeout=20)
        finally:
            follower.kill()

    assert json.loads(shipway.ok("show", job_id, "--json"))["state"] == "cancelled"
