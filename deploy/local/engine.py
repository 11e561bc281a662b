"""Which Docker Engine a private daemon runs: the installed one, or the current one fetched beside it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.local.processes import PartError

REPOSITORY = Path(__file__).resolve().parents[2]
_FETCHED = REPOSITORY / ".cache" / "engine28"
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass(frozen=True)
class Engine:
    """One set of Docker programs.

    Attributes:
        name: how tests choose it ("installed", "28").
        folders: searched for programs before everything else, so that `dockerd` finds its own `containerd`.
        plugins: the folder with the CLI's plugins (`docker-buildx`), or None where the CLI knows its own.
        extra: more environment for its programs.
    """

    name: str
    folders: tuple[Path, ...]
    plugins: Path | None = None
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def env(self) -> dict[str, str]:
        """Environment for this engine's programs."""
        return {**os.environ, "PATH": self._search_path, **dict(self.extra)}

    def program(self, name: str) -> str:
        """Return the path of one of its programs; raises PartError if there is none."""
        found = shutil.which(name, path=self._search_path)
        if found is None:
            raise PartError(f"{name} is not installed; `make setup` installs what is missing")
        return found

    @property
    def available(self) -> bool:
        return shutil.which("dockerd", path=os.pathsep.join(map(str, self.folders))) is not None

    @property
    def _search_path(self) -> str:
        return os.pathsep.join([*map(str, self.folders), os.environ.get("PATH", os.defpath)])


# The distribution's folders come first: another docker in /usr/local/bin is not the one we mean.
INSTALLED = Engine("installed", tuple(map(Path, _SYSTEM_FOLDERS)))
ENGINE_28 = Engine(
    "28",
    (_FETCHED / "usr/sbin", _FETCHED / "usr/bin", *INSTALLED.folders),
    _FETCHED / "usr/libexec/docker/cli-plugins",
)


def engine(name: str = "") -> Engine:
    """Return the engine called `name`: "" and "20" mean the installed one, "28" the fetched one.

    Raises:
        PartError: there is no such engine, or it has not been fetched.
    """
    if name in ("", "20", "20.10", INSTALLED.name):
        return INSTALLED
    if name != ENGINE_28.name:
        raise PartError(f"unknown engine {name!r}: use 20 or 28")
    if not (_FETCHED / "usr/sbin/dockerd").exists():
        raise PartError("engine 28 has not been fetched: run deploy/engines/fetch.sh")
    return ENGINE_28
