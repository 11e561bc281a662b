"""What starts the real parts for everyone else: it must start them beside others, and leave nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from deploy.local import base_image, bridge, ownership
from deploy.local.dockerd import Dockerd, sweep
from deploy.local.engine import REPOSITORY, engine
from deploy.local.plain_http import PLAIN
from deploy.local.ports import free_port, is_free
from deploy.local.processes import Child, PartError
from deploy.local.redis import RedisServer
from deploy.local.registry import Login, Registry
from deploy.local.servers import authorization
from deploy.local.waiting import wait_until
from tests.integration.contexts import once
from tests.integration.leftovers import processes_with

ENGINE = engine(os.environ.get("SHIPWAY_TEST_ENGINE", ""))


def traces(name: str, data_root: Path) -> dict[str, object]:
    """All that a private daemon could leave on the host, by kind; only what is there."""
    rules = [
        line
        for table in ("filter", "nat")
        for line in subprocess.check_output(["iptables", "-w", "-t", table, "-S"], text=True).splitlines()
        if name in line
    ]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(data_root) in line]
    found = {
        "processes": processes_with(name),
        "bridge": name in bridge.names(),
        "rules": rules,
        "mounts": mounts,
        "cgroups": [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")],
        "folder": ownership.run_folder(name).exists(),
    }
    return {kind: what for kind, what in found.items() if what}


def test_second_daemon_leaves_the_first_one_and_its_network_alone(dockerd: Dockerd, tmp_path: Path) -> None:
    started = dockerd.docker("run", "--detach", "base", "sleep", "300")
    assert started.returncode == 0, started.stderr
    container = started.stdout.strip()
    gateway = ["exec", container, "ping", "-c1", "-W2"]
    address = dockerd.docker("exec", container, "sh", "-c", "ip route | grep default").stdout.split()[2]
    rules = traces(dockerd.name, dockerd.data_root)["rules"]
    try:
        with Dockerd(tmp_path / "second", engine=ENGINE) as second:
            base_image.make(second.api)
            during = dockerd.docker(*gateway, address)
            other = second.docker("run", "--rm", "base", "sh", "-c", "ip route | grep default")
        after = dockerd.docker(*gateway, address)

        assert (during.returncode, after.returncode) == (0, 0), during.stdout + after.stdout
        assert other.stdout.split()[2] != address
        assert traces(dockerd.name, dockerd.data_root)["rules"] == rules
    finally:
        dockerd.docker("rm", "--force", container)


def test_stopped_daemon_leaves_nothing_on_the_host_even_with_a_container_running(tmp_path: Path) -> None:
    daemon = Dockerd(tmp_path / "data", engine=ENGINE)
    with daemon:
        base_image.make(daemon.api)
        assert daemon.docker("run", "--detach", "base", "sleep", "300").returncode == 0
        running = traces(daemon.name, daemon.data_root)

    assert running.keys() == {"processes", "bridge", "rules", "mounts", "cgroups", "folder"}
    assert traces(daemon.name, daemon.data_root) == {}


def test_stop_clears_up_after_a_daemon_that_was_killed_in_mid_build(tmp_path: Path) -> None:
    word = once()
    with Dockerd(tmp_path / "data", engine=ENGINE) as daemon:
        base_image.make(daemon.api)
        build = subprocess.Popen(
            [daemon.engine.program("docker"), "build", "-"],
            env=daemon.cli_env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert build.stdin is not None
        build.stdin.write(f"FROM base\nRUN sleep 300; echo {word}\n".encode())
        build.stdin.close()
        assert wait_until(lambda: processes_with(f"echo {word}"), 30)
        daemon.kill()
        build.wait(30)

    assert processes_with(word) == []
    assert traces(daemon.name, daemon.data_root) == {}


def test_daemon_started_again_has_the_images_it_had(tmp_path: Path) -> None:
    with Dockerd(tmp_path / "data", engine=ENGINE) as daemon:
        image_id = base_image.make(daemon.api)
        daemon.kill()
        daemon.start()
        found = daemon.docker("inspect", "--format", "{{.Id}}", base_image.REFERENCE).stdout.strip()

    assert found == image_id


def test_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from deploy.local.dockerd import Dockerd\n"
        "daemon = Dockerd(Path(sys.argv[1])); daemon.start(); print(daemon.name, flush=True); time.sleep(300)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data")]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().strip()
        owner.kill()
    # The kernel tells the daemon that its owner died; what only the owner could remove stays for now.
    assert wait_until(lambda: not processes_with(name), 30)
    left = traces(name, tmp_path / "data")

    sweep()

    assert "bridge" in left
    assert traces(name, tmp_path / "data") == {}


def test_sweep_leaves_a_living_owner_alone(dockerd: Dockerd) -> None:
    sweep()

    assert dockerd.api.ping()
    assert {"bridge", "rules", "folder"} <= traces(dockerd.name, dockerd.data_root).keys()


def test_redis_that_was_killed_has_every_acknowledged_write(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        write = subprocess.run(["redis-cli", "-u", server.url, "set", "key", "value"], capture_output=True, check=True)
        server.child.kill()
        server.start()
        read = subprocess.run(["redis-cli", "-u", server.url, "get", "key"], capture_output=True, check=True)

    assert (write.stdout, read.stdout) == (b"OK\n", b"value\n")


def test_registry_with_a_login_lets_nobody_else_in(tmp_path: Path) -> None:
    with Registry(tmp_path / "registry", login=Login("ada", "byron")) as server:
        logins = [None, ("ada", "wrong"), ("ada", "byron")]
        answers = [httpx.get(f"{server.url}/v2/", auth=login, **PLAIN).status_code for login in logins]

    assert answers == [401, 401, 200]


def test_part_that_ends_while_starting_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child("oven", ["sh", "-c", "echo too hot; exit 3"], log=tmp_path / "oven.log")

    with pytest.raises(PartError, match=r"(?s)oven ended while starting \(exit code 3\).*too hot"):
        child.start(lambda: False, limit=20)


def test_part_that_is_never_ready_is_stopped_with_all_its_processes(tmp_path: Path) -> None:
    word = f"3{os.getpid()}"  # so many seconds to sleep: nobody else does
    child = Child("oven", ["sh", "-c", f"trap '' TERM; sleep {word} & sleep {word}"], log=tmp_path / "oven.log")
    child.start(lambda: bool(processes_with(f"sleep\0{word}")), limit=20)
    before = processes_with(f"sleep\0{word}")

    child.stop(grace=0.2)

    assert before
    assert wait_until(lambda: not processes_with(f"sleep\0{word}"), 5)


class Up:
    """`make up`'s process, in a home of its own."""

    def __init__(self, folder: Path, docker_host: str) -> None:
        self.port, self.home, self.output = free_port(), folder / "home", folder / "output"
        self.env = {
            **os.environ,
            "HOME": str(self.home),
            "SHIPWAY_STATE": str(folder / "state"),
            "SHIPWAY_PORT": str(self.port),
            "DOCKER_HOST": docker_host,
        }
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            self.env.pop(name, None)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(self.command, cwd=REPOSITORY, env=self.env, stdout=output, stderr=output)

    command = (sys.executable, "-m", "deploy.local", "up")

    def wait_for(self, text: str) -> str:
        """Wait until it has written `text`; returns all it has written."""
        assert wait_until(lambda: text in self.output.read_text() or self.process.poll() is not None, 60)
        assert text in self.output.read_text()
        return self.output.read_text()


@pytest.mark.engine_independent
def test_up_runs_on_the_reachable_daemon_tells_clients_where_and_stops_on_ctrl_c(
    dockerd: Dockerd, tmp_path: Path
) -> None:
    up = Up(tmp_path, dockerd.host)
    try:
        up.wait_for("Shipway is up")
        config = (up.home / ".config/shipway/config.toml").read_text()
        url = f"http://127.0.0.1:{up.port}"
        kept = up.home / ".config/shipway/tokens.json"
        token = json.loads(kept.read_text())[url]
        mode = kept.stat().st_mode & 0o777
        workers = httpx.get(f"{url}/v1/workers", headers=authorization(token), **PLAIN).json()["workers"]
        taken = subprocess.run(up.command, cwd=REPOSITORY, env=up.env, capture_output=True, text=True, check=False)
        up.process.send_signal(signal.SIGINT)
        code = up.process.wait(60)
    finally:
        up.process.kill()
        up.process.wait()

    assert config == f'url = "{url}"\n'
    assert up.output.read_text().count(token) == 1
    assert mode == 0o600
    assert [worker["state"] for worker in workers] == ["ready"]
    assert taken.returncode == 1
    assert f"port {up.port} is taken" in taken.stderr
    assert code == 0
    assert is_free(up.port)
    assert processes_with(str(tmp_path)) == []
    assert "private" not in up.output.read_text()


@pytest.mark.engine_independent
def test_up_names_the_part_that_died_and_stops_the_others(dockerd: Dockerd, tmp_path: Path) -> None:
    up = Up(tmp_path, dockerd.host)
    try:
        up.wait_for("Shipway is up")
        [service] = processes_with(f"--port\0{up.port}")
        os.kill(service, signal.SIGKILL)
        code = up.process.wait(60)
    finally:
        up.process.kill()
        up.process.wait()

    assert code == 1
    assert "service ended unexpectedly (exit code -9)" in up.output.read_text()
    assert processes_with(str(tmp_path)) == []
