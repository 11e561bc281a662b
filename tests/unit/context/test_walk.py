"""Walking a local directory, on real files."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipway.context.walk import dockerignore_for, walk
from shipway.exceptions import ContextError
from shipway.models.context import EntryType


def make(root: Path, *paths: str) -> Path:
    """Create files (and directories, written with a slash at the end)."""
    for path in paths:
        place = root / path
        if path.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(path)
    return root


def walked(root: Path, patterns: list[str], *keep: str) -> list[str]:
    return [file.path for file in walk(root, patterns, keep)]


def refused(root: Path, patterns: list[str]) -> ContextError:
    with pytest.raises(ContextError) as caught:
        list(walk(root, patterns))
    return caught.value


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A directory and an identity to which permissions apply, even where tests run as root."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        if root:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)


def test_entries_come_depth_first_with_sorted_names(tmp_path: Path) -> None:
    make(tmp_path, "b", "a/z", "a/b/c", "a-b", "a.b", "empty/", "ä")

    assert walked(tmp_path, []) == ["a", "a/b", "a/b/c", "a/z", "a-b", "a.b", "b", "empty", "ä"]


def test_entries_tell_type_mode_size_and_link(tmp_path: Path) -> None:
    make(tmp_path, "tool", "dir/")
    (tmp_path / "tool").chmod(0o4750)
    (tmp_path / "dir").chmod(0o1777)
    (tmp_path / "link").symlink_to(".//../outside")

    found = {file.path: (file.type, file.mode, file.size, file.link) for file in walk(tmp_path, [])}

    assert found["tool"] == (EntryType.FILE, 0o4750, 4, "")
    assert found["dir"] == (EntryType.DIR, 0o1777, 0, "")
    assert found["link"] == (EntryType.SYMLINK, 0o777, 0, ".//../outside")


def test_links_to_directories_are_not_entered(tmp_path: Path) -> None:
    make(tmp_path, "dir/file")
    (tmp_path / "loop").symlink_to(".")

    assert walked(tmp_path, []) == ["dir", "dir/file", "loop"]


def test_exception_brings_back_a_file_with_its_excluded_parents(tmp_path: Path) -> None:
    make(tmp_path, "a/b/keep", "a/b/drop", "a/c/drop", "other")

    assert walked(tmp_path, ["a", "!a/b/keep"]) == ["a", "a/b", "a/b/keep", "other"]


def test_excluded_parents_stay_away_when_nothing_below_them_is_kept(tmp_path: Path) -> None:
    make(tmp_path, "a/b/drop", "other")

    assert walked(tmp_path, ["a", "!**/keep"]) == ["other"]


def test_dockerfile_and_ignore_file_are_kept_whatever_the_patterns(tmp_path: Path) -> None:
    make(tmp_path, "Dockerfile", ".dockerignore", "docker/[x]*file", "docker/other", "src/x")

    assert walked(tmp_path, ["**"], "docker/[x]*file") == [".dockerignore", "docker", "docker/[x]*file"]
    assert walked(tmp_path, ["*", "!src"], "Dockerfile") == [".dockerignore", "Dockerfile", "src", "src/x"]


def test_ignore_file_beside_the_dockerfile_goes_first(tmp_path: Path) -> None:
    make(tmp_path, "docker/Dockerfile")
    assert dockerignore_for(tmp_path, "docker/Dockerfile") == []

    (tmp_path / ".dockerignore").write_text("general\n")
    assert dockerignore_for(tmp_path, "docker/Dockerfile") == ["general"]

    (tmp_path / "docker/Dockerfile.dockerignore").write_text("# only this\nspecial/\n")
    assert dockerignore_for(tmp_path, "docker/Dockerfile") == ["special"]
    assert dockerignore_for(tmp_path) == ["general"]


def test_sockets_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "file")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))

        assert walked(tmp_path, []) == ["file"]


def test_fifo_is_refused_unless_ignored(tmp_path: Path) -> None:
    make(tmp_path, "dir/file")
    os.mkfifo(tmp_path / "dir/pipe")

    error = refused(tmp_path, [])

    assert (error.slug, error.field) == ("context-special-file", "dir/pipe")
    assert walked(tmp_path, ["**/pipe"]) == ["dir", "dir/file"]


def test_name_that_is_not_utf8_is_refused_unless_ignored(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).touch()

    assert refused(tmp_path, []).slug == "context-name-encoding"
    assert walked(tmp_path, ["caf?"]) == []


def test_link_target_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(os.fsdecode(b"caf\xe9"))

    assert refused(tmp_path, []).slug == "context-name-encoding"


def test_unreadable_directory_is_named_unless_ignored(nobody: Path) -> None:
    make(nobody, "dir/locked/file", "dir/other")
    (nobody / "dir/locked").chmod(0)

    error = refused(nobody, [])

    assert error.slug == "context-unreadable"
    assert "locked" in error.message
    assert walked(nobody, ["**/locked"]) == ["dir", "dir/other"]
    assert walked(nobody, ["dir", "!dir/*/x", "!dir/other"]) == ["dir", "dir/other"]
    (nobody / "dir/locked").chmod(0o700)


def test_unreadable_ignore_file_is_an_error(nobody: Path) -> None:
    (nobody / ".dockerignore").touch(0)

    with pytest.raises(ContextError) as caught:
        dockerignore_for(nobody)

    assert caught.value.slug == "context-unreadable"


@pytest.mark.parametrize("name", ["missing", "file"])
def test_root_that_is_no_directory_is_refused(tmp_path: Path, name: str) -> None:
    make(tmp_path, "file")

    assert refused(tmp_path / name, []).slug == "context-not-a-directory"


def test_malformed_pattern_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, ["["]).slug == "dockerignore-invalid"
