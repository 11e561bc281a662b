"""Removes what a dockerd leaves on its host when it did not stop by itself: processes, mounts, cgroups."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from deploy.local.waiting import wait_until

_CGROUPS = Path("/sys/fs/cgroup")


def clear(cgroup: str, *folders: Path) -> None:
    """Kill all processes of `cgroup` or that name one of `folders`, then unmount all below `folders`.

    The cgroup (the daemon's `--cgroup-parent`) finds what is in containers and in BuildKit's steps; the folders
    (the daemon's exec root) find containerd and its shims by their arguments.
    """
    wait_until(lambda: not _kill(cgroup, folders), limit=10)
    for mount in _mounts(folders):
        # Lazily: a mount that is busy for a last moment goes as soon as it isn't.
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    for folder in _cgroup_folders(cgroup):
        with suppress(OSError):  # a cgroup filesystem wants rmdir only; a busy one stays
            folder.rmdir()


def end_containerd(exec_root: Path) -> None:
    """End the containerd that a killed dockerd had, so that the next dockerd starts its own.

    The kernel kills it as its parent dies, but not at once, and a dead one may stay a zombie; a dockerd that finds
    its process id in use takes it for alive, waits for its socket and gives up.
    """
    note = exec_root / "containerd" / "containerd.pid"
    try:
        pid = int(note.read_text())
    except (OSError, ValueError):
        return
    if _belongs(pid, (exec_root,)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _belongs(pid, (exec_root,)), limit=10)
    note.unlink(missing_ok=True)


def _kill(cgroup: str, folders: tuple[Path, ...]) -> bool:
    """SIGKILL everything found; answer whether anything was."""
    found = {pid for pid in _pids() if _belongs(pid, folders)} | set(_members(cgroup))
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(found)


def _pids() -> Iterator[int]:
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != own:
            yield int(entry.name)


def _belongs(pid: int, folders: tuple[Path, ...]) -> bool:
    """Whether it is a containerd or a shim whose arguments lie below one of `folders`."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if not Path(os.fsdecode(arguments[0])).name.startswith(("containerd", "runc")):
        return False
    prefixes = tuple(os.fsencode(folder) + b"/" for folder in folders)
    return any(argument.startswith(prefixes) for argument in arguments[1:])


def _members(cgroup: str) -> Iterator[int]:
    for folder in _cgroup_folders(cgroup):
        with suppress(OSError):
            yield from map(int, (folder / "cgroup.procs").read_text().split())


def _cgroup_folders(cgroup: str) -> list[Path]:
    """All folders of a cgroup, innermost first: in the one tree of cgroup v2, or in each controller's of v1."""
    roots = [_CGROUPS / cgroup, *_CGROUPS.glob(f"*/{cgroup}")]
    return [Path(folder) for root in roots for folder, _, _ in os.walk(root, topdown=False)]


def _mounts(folders: tuple[Path, ...]) -> list[str]:
    """Mount points at or below `folders`, the innermost first."""
    # Field 5 of proc(5) mountinfo, with blanks written as \040 and the like.
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split(" ")[4].encode().decode("unicode_escape") for line in lines]
    roots = [str(folder.resolve()) for folder in folders]
    below = [point for point in points if any(point == root or point.startswith(root + "/") for root in roots)]
    return sorted(below, key=len, reverse=True)
