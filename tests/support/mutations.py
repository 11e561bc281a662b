"""Trees that are changed at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c", "d/a", "d/b", "d/e/a", "d/e/b", "f"])
EDIT = st.one_of(
    st.tuples(st.just("write"), NAMES, st.integers(0, 5), st.sampled_from([0, 1, 70_000, 600_000])),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("link"), NAMES, st.sampled_from(["a", "d/b", "/etc", "nowhere"])),
    st.tuples(st.just("chmod"), NAMES, st.sampled_from([0o600, 0o755, 0o4711])),
    st.tuples(st.just("move"), NAMES, NAMES),
)


def mutate(root: Path, what: tuple[Any, ...]) -> None:
    """Do something to a tree, whatever is there; what can't be done is not done."""
    kind, name, *more = what
    path = root / name
    try:
        if kind == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes([more[0]]) * more[1])
        elif kind == "remove":
            path.unlink()
        elif kind == "link":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(more[0])
        elif kind == "chmod" and not path.is_symlink():
            path.chmod(more[0])
        elif kind == "move":
            path.rename(root / more[0])
    except OSError:
        pass


ROUNDS = st.lists(st.lists(EDIT, max_size=6), min_size=1, max_size=4)
"""Edits between one look at a tree and the next."""
