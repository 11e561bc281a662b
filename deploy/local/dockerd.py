"""A private Docker daemon beside whatever else runs on the host."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from deploy.local import bridge, leftovers, ownership
from deploy.local.docker_api import DockerAPI
from deploy.local.engine import INSTALLED, Engine
from deploy.local.processes import Child, Part, PartError


class Dockerd(Part):
    """`dockerd` with its own socket, state, bridge and cgroup; needs root.

    Args:
        data_root: its images and containers; kept at stop, so that the next start has a warm cache.
        engine: which Docker it is.
        log: its output; beside the data root if not given.
        extra: more arguments for dockerd.
    """

    def __init__(
        self, data_root: Path, *, engine: Engine = INSTALLED, log: Path | None = None, extra: tuple[str, ...] = ()
    ) -> None:
        self.name = ownership.new_name()
        self.engine = engine
        self.data_root = data_root.resolve()
        self.run_folder = ownership.run_folder(self.name)
        command = [engine.program("dockerd"), *self._arguments(), *extra]
        self.child = Child(
            "dockerd", command, log=log or self.data_root.with_suffix(".log"), env=engine.env, cwd=Path("/")
        )

    @property
    def host(self) -> str:
        """Its address, as DOCKER_HOST takes it."""
        return f"unix://{self.run_folder / 'docker.sock'}"

    @property
    def api(self) -> DockerAPI:
        """A client for the few calls the local stack itself makes."""
        return DockerAPI(self.host)

    def docker(self, *arguments: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run this engine's `docker` command against the daemon; never raises for a failing command."""
        return subprocess.run(
            [self.engine.program("docker"), *map(str, arguments)],
            env=self.cli_env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @property
    def cli_env(self) -> dict[str, str]:
        """Environment in which `docker` speaks to this daemon, with a configuration of its own."""
        return {
            **self.engine.env,
            "DOCKER_HOST": self.host,
            "DOCKER_BUILDKIT": "1",
            "DOCKER_CONFIG": str(self.run_folder / "cli"),
        }

    def start(self) -> None:
        """Start it (again, with what it had) and wait until it answers; raises PartError."""
        if os.geteuid() != 0:
            raise PartError("a private dockerd needs root; or set DOCKER_HOST to a daemon you may use")
        self.data_root.mkdir(parents=True, exist_ok=True)
        sweep()
        with ownership.host_lock():
            self.run_folder.mkdir(mode=0o700, exist_ok=True)
            self._write_configuration()
            if self.name not in bridge.names():
                bridge.create(self.name)
        leftovers.end_containerd(self.run_folder / "exec")
        # One that was killed leaves it, and its number may be another process's by now: dockerd would not start.
        (self.run_folder / "pid").unlink(missing_ok=True)
        try:
            self.child.start(self.api.ping, limit=60)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it and remove everything it put on the host but its data root."""
        if self.child.alive:
            self.api.kill_containers()  # or dockerd gives each of them 10 s to heed SIGTERM
        self.child.stop(grace=20)
        _tidy(self.name, self.data_root)

    def kill(self) -> None:
        """`kill -9` the daemon and leave its containers, mounts and bridge as they are, for fault tests."""
        self.child.kill()

    def _write_configuration(self) -> None:
        ownership.write_record(self.name, self.data_root)
        (self.run_folder / "daemon.json").write_text("{}")
        plugins = self.run_folder / "cli" / "cli-plugins"
        if self.engine.plugins is not None and not plugins.is_symlink():
            plugins.parent.mkdir(exist_ok=True)
            plugins.symlink_to(self.engine.plugins)

    def _arguments(self) -> list[str]:
        run = self.run_folder
        return [
            f"--host={self.host}",
            f"--data-root={self.data_root}",
            f"--exec-root={run / 'exec'}",
            f"--pidfile={run / 'pid'}",
            f"--config-file={run / 'daemon.json'}",  # or /etc/docker/daemon.json of another daemon would count
            f"--bridge={self.name}",
            "--iptables=false",
            "--ip6tables=false",
            f"--cgroup-parent=/{self.name}",
            "--exec-opt=native.cgroupdriver=cgroupfs",  # the systemd driver knows no parent of our naming
            "--shutdown-timeout=5",
        ]


def sweep() -> None:
    """Remove what private daemons left whose owners are gone (killed by SIGKILL, say)."""
    with ownership.host_lock():
        folders = [entry.name for entry in ownership.RUN.iterdir()]
        for name in {*folders, *bridge.names()}:
            if ownership.orphaned(name):
                record = ownership.read_record(name)
                _tidy(name, Path(record.data_root) if record else None)


def _tidy(name: str, data_root: Path | None) -> None:
    folder = ownership.run_folder(name)
    leftovers.clear(name, *filter(None, (folder, data_root)))
    bridge.remove(name)
    shutil.rmtree(folder, ignore_errors=True)
