"""Names for what a private daemon leaves on the host, and who owns them, so that a later run can tidy up.

The name carries the owner's process id (`shw2x4-0`: pid in base 36, then a counter): a bridge or a cgroup of that name
whose owner is gone belongs to nobody. A record beside it holds the owner's start time, since process ids come again.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

# Short on purpose: the path of a unix socket holds 107 bytes, and state folders can be deep.
RUN = Path("/run/shipway")
_NAME = re.compile(r"shw([0-9a-z]+)-\d+")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_counter = itertools.count()


@dataclass(frozen=True)
class Record:
    """Who owns a name, and where its daemon keeps its state."""

    pid: int
    started: str
    data_root: str


def new_name() -> str:
    """Return a name nobody has: at most 15 bytes, as a network interface's name must be."""
    pid, digits = os.getpid(), ""
    while pid:
        pid, rest = divmod(pid, 36)
        digits = _DIGITS[rest] + digits
    return f"shw{digits}-{next(_counter)}"


def run_folder(name: str) -> Path:
    """Where the daemon called `name` has its socket and its run-time state."""
    return RUN / name


def write_record(name: str, data_root: Path) -> None:
    """Note that this process owns `name`."""
    record = Record(os.getpid(), _start_time(os.getpid()), str(data_root))
    (run_folder(name) / "owner.json").write_text(json.dumps(asdict(record)))


def read_record(name: str) -> Record | None:
    """Return what was noted about `name`, or None."""
    try:
        return Record(**json.loads((run_folder(name) / "owner.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def orphaned(name: str) -> bool:
    """Whether `name` is one of ours and its owner is gone."""
    match = _NAME.fullmatch(name)
    if match is None:
        return False
    started = _start_time(int(match[1], 36))
    if not started:
        return True
    record = read_record(name)
    return record is not None and record.started != started


@contextmanager
def host_lock() -> Iterator[None]:
    """Hold the lock of everyone who changes names, bridges and subnets on this host."""
    RUN.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (RUN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start_time(pid: int) -> str:
    """Clock ticks from boot to the start of the process (field 22 of proc(5) stat), or "" if it is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The second field, the name, may contain spaces and brackets; the rest starts after its last bracket.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
