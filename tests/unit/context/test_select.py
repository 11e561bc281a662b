"""Selection answers BuildKit's patterns as docker's own client does (the behaviours of tonistiigi/fsutil)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.context.dockerignore import PatternMatcher
from shipway.context.select import follow_links, select
from shipway.exceptions import ContextError
from shipway.models.context import Entry, EntryType, Manifest


def tree(*paths: str) -> Manifest:
    """Entries written as `dir/`, `file` or `link -> target`."""
    entries = []
    for path in paths:
        name, arrow, target = path.partition(" -> ")
        if arrow:
            entries.append(Entry(name, EntryType.SYMLINK, 0o777, link=target))
        elif name.endswith("/"):
            entries.append(Entry(name[:-1], EntryType.DIR, 0o755))
        else:
            entries.append(Entry(name, EntryType.FILE, 0o644))
    return Manifest(entries)


FILES = tree("app/web/img/", "app/web/js/main", "app/web/js/test", "js/main", "img/", "main.txt", "main/js/x")


def paths(manifest: Manifest, **patterns: list[str]) -> list[str]:
    return [entry.path for entry in select(manifest, **patterns)]


def test_everything_is_selected_without_patterns() -> None:
    assert select(FILES) == list(FILES)


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (["js"], ["js", "js/main"]),
        (["js/main"], ["js", "js/main"]),
        (["js/z*"], []),
        (["j*/main"], ["js", "js/main"]),
        (["m*"], ["main", "main/js", "main/js/x", "main.txt"]),
        (["**/js/main"], ["app", "app/web", "app/web/js", "app/web/js/main", "js", "js/main"]),
        (["app", "!app/web/js"], ["app", "app/web", "app/web/img"]),
        (["missing"], []),
    ],
)
def test_included_entries_come_with_their_parents(include: list[str], expected: list[str]) -> None:
    assert expected == paths(FILES, include_patterns=include)


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        (["app", "i*", "js"], ["main", "main/js", "main/js/x", "main.txt"]),
        (["app", "!app/web/js/main", "i*", "js", "main*"], ["app", "app/web", "app/web/js", "app/web/js/main"]),
        (["*", "!**/x"], ["main", "main/js", "main/js/x"]),
        (["**"], []),
    ],
)
def test_exceptions_bring_back_entries_with_their_excluded_parents(exclude: list[str], expected: list[str]) -> None:
    assert expected == paths(FILES, exclude_patterns=exclude)


def test_excludes_win_over_includes() -> None:
    selected = paths(FILES, include_patterns=["app"], exclude_patterns=["**/test", "**/img"])

    assert selected == ["app", "app/web", "app/web/js", "app/web/js/main"]


@pytest.mark.parametrize(
    ("manifest", "wanted", "expected"),
    [
        (tree("etc/conf", "etc/one -> conf", "two -> etc/one", "x"), ["two", "x"], ["etc/conf", "etc/one", "two", "x"]),
        (tree("self -> self", "ping -> pong", "pong -> ping"), ["self", "ping"], ["ping", "pong", "self"]),
        (tree("a/link -> /up/here/file", "up/here -> ../"), ["a/link"], ["a/link", "file", "up/here"]),
        (tree("a/link -> /up/here/file", "up/here -> ../../../"), ["a/link"], ["a/link", "file", "up/here"]),
        (tree(), ["no/such/file", "no/file"], ["no/file", "no/such/file"]),
        (tree(), ["n*/such/f*"], ["n*/such/f*"]),
        (tree(), ["no/such/file", "no/such"], ["no/such"]),
        (tree("a/link -> /data", "data/file"), ["a/link", "data/file"], ["a/link", "data"]),
        (tree("a/link -> /", "data/file"), ["a/link", "data"], None),
        (tree(), ["."], None),
        (
            tree("a/l1 -> /d/1", "a/l2 -> /d/2", "a/m -> /x", "d/2 -> ../y", "d/1"),
            ["a/l*"],
            ["a/l*", "d/1", "d/2", "y"],
        ),
        (tree("a -> b", "b/c"), ["a//c"], ["a", "b/c"]),
        (tree("a -> ../../../../etc/passwd"), ["a"], ["a", "etc/passwd"]),
    ],
)
def test_links_are_followed_inside_the_context(manifest: Manifest, wanted: list[str], expected: list[str]) -> None:
    assert follow_links(manifest, wanted) == expected


def test_long_chain_of_links_ends() -> None:
    manifest = tree(*(f"l{n} -> l{n + 1}" for n in range(20_000)), "l20000")

    assert len(select(manifest, follow_paths=["l0"])) == 20_001


def test_followed_path_narrows_the_selection() -> None:
    manifest = tree("Dockerfile -> build/Dockerfile", "build/Dockerfile", "build/other", "src/x")

    assert paths(manifest, follow_paths=["Dockerfile", "Dockerfile.dockerignore"]) == [
        "Dockerfile", "build", "build/Dockerfile",
    ]  # fmt: skip


def test_malformed_followed_path_is_refused() -> None:
    with pytest.raises(ContextError) as caught:
        select(tree("a"), follow_paths=["[*"])

    assert caught.value.slug == "dockerignore-invalid"


names = st.sampled_from(["a", "b", "c.txt"])
some_paths = st.lists(st.lists(names, min_size=1, max_size=4).map("/".join), max_size=8)
patterns = st.lists(
    st.tuples(
        st.sampled_from(["", "!"]),
        st.lists(st.sampled_from(["a", "b", "*", "**", "*.txt", "[ab]"]), min_size=1, max_size=3),
    ).map(lambda made: made[0] + "/".join(made[1])),
    max_size=4,
)


@given(some_paths, patterns)
def test_pruning_changes_no_answer(files: list[str], exclude: list[str]) -> None:
    manifest = tree(*(f"{path}/leaf" for path in files))
    matcher = PatternMatcher(exclude)
    kept = [entry.path for entry in manifest if not matcher.excludes(entry.path)]
    expected = set(kept) | {path[:at] for path in kept for at, char in enumerate(path) if char == "/"}

    assert set(paths(manifest, exclude_patterns=exclude)) == expected
