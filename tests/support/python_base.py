"""A base image with Python for machines that reach no hub: parts of this machine's own Debian.

It stands for `python:3.11-slim-bookworm`: a shell, the usual commands, Python with pip, and what our Dockerfiles would
install (git, ssh); and a Redis. pip takes packages from a folder of the image, since a build here reaches no index.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from deploy.local.docker_api import DockerAPI

NAME = "python-base"
PACKAGES = (
    *("libc6", "libgcc-s1", "tzdata"),  # wheels count on them
    *("dash", "coreutils", "passwd", "login", "git", "openssh-client", "redis-server", "redis-tools"),
)
FOLDERS = {"tmp": 0o1777, "root": 0o755, "var/lib": 0o755}  # Python may lie in root's home, and all must reach it
LINKS = ("bin", "sbin", "lib", "lib64")
"""Into /usr, as on every Debian of today."""
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/shadow": "root:*::::::\n",
    "etc/pip.conf": "[global]\nno-index = true\nfind-links = /wheels\ndisable-pip-version-check = true\n",
}
PYTHON = Path(os.path.realpath(sys.executable))
"""The interpreter that these tests run on; it lies in the image where it lies here."""
UNREAD = re.compile(r"/usr/share/(doc|man|locale|info|lintian|bash-completion|zoneinfo/(posix|right))/")
UNUSED = re.compile(r"site-packages|dist-packages|tests?|idlelib|tkinter|config-.*")
LOADED = re.compile(r"(/\S+) \(0x")


def make(api: DockerAPI, wheels: Path) -> None:
    """Import the image `python-base:latest` into a daemon; raises PartError."""
    path = f"/usr/local/bin:{PYTHON.parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    api.import_image(_archive(wheels), NAME, "latest", [f"ENV PATH={path}"])


def _archive(wheels: Path) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for name, mode in FOLDERS.items():
            tar.addfile(_entry(name, tarfile.DIRTYPE, mode))
        for name in LINKS:
            tar.addfile(_entry(name, tarfile.SYMTYPE, target=f"usr/{name}"))
        for name in ("python", "python3"):
            tar.addfile(_entry(f"usr/local/bin/{name}", tarfile.SYMTYPE, target=str(PYTHON)))
        for name, text in FILES.items():
            tar.addfile(_entry(name, tarfile.REGTYPE, size=len(text)), io.BytesIO(text.encode()))
        for place, path in {_place(path): path for path in _files()}.items():
            tar.add(path, place, recursive=False)
        for path in wheels.glob("*.whl"):
            tar.add(path, f"wheels/{path.name}")
    return output.getvalue()


def _entry(name: str, kind: bytes, mode: int = 0o644, *, size: int = 0, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, size, target
    return entry


def _place(path: Path) -> str:
    """A file's name in a system whose /bin and /lib are links."""
    return f"{os.path.realpath(path.parent)}/{path.name}".lstrip("/")


def _files() -> Iterator[Path]:
    parts = [*_of_packages(), *_of_python()]
    for library in _libraries(parts):
        yield from (library, Path(os.path.realpath(library)))
    yield from parts


def _of_packages() -> Iterator[Path]:
    listed = subprocess.run(["dpkg-query", "--listfiles", *PACKAGES], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        path = Path(line)
        if line.startswith("/") and not UNREAD.match(line) and path.is_file():
            yield path
    yield Path("/bin/sh")


def _of_python() -> Iterator[Path]:
    yield PYTHON
    home = Path(sys.base_prefix) / f"lib/python3.{sys.version_info.minor}"
    for folder, inner, names in os.walk(home):
        inner[:] = [name for name in inner if not UNUSED.fullmatch(name)]
        yield from (Path(folder) / name for name in names)


def _libraries(files: Iterable[Path]) -> set[Path]:
    """What the loader says that programs and modules need, where it looks for it."""
    loadable = {os.path.realpath(file) for file in files if _is_elf(file)}  # most of git's are links to one file
    told = subprocess.run(["ldd", *loadable], capture_output=True, text=True, check=False).stdout
    return {Path(path) for path in LOADED.findall(told)}


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
