"""`.dockerignore` means here what it means to Docker (the behaviours of moby/patternmatcher)."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.context.dockerignore import PatternMatcher, read_patterns
from shipway.context.glob import Automaton, compile_pattern, escape, parse
from shipway.exceptions import ContextError

MATCHING = [
    ("**", "notes"),
    ("**", "deep/er/notes"),
    ("**/**", "deep/notes"),
    ("build/**", "build/x/y.o"),
    ("**/cache", "cache"),
    ("**/cache", "cache/entry"),
    ("**/out/*", "app/out/main.js"),
    ("**/out/**", "app/out/js/main.js"),
    ("**.log", "var/run/app.log"),
    ("**log", "var/catalog"),
    ("**/app*log", "var/run/app.1.log"),
    ("**/**/*.md", "README.md"),
    ("src**/*.c", "src/core/io/read.c"),
    ("lib**so", "libso"),
    ("lib**so", "lib64/so"),
    ("doc/*.md**", "doc/a.md"),
    ("part[1-3].bin", "part2.bin"),
    ("part[^1-3].bin", "part9.bin"),
    (".*", ".git"),
    ("v?.txt", "v1.txt"),
    ("v?.txt", "v☃.txt"),
    ("odd.+()|{}$name", "odd.+()|{}$name"),
    ("star\\*name", "star*name"),
    ("back\\\\", "back\\"),
    ("*-*-*-*.tar/list", "a-b-c-d-e.tar/list"),
    ("*1?2*3", "0112x1y2z3"),
    ("[\\]x]", "]"),
    ("[0\\-]", "-"),
    ("[à-ü]*", "été"),
    ("vendor", "vendor/deep/file"),
    ("vendor/", "vendor/file"),
    ("./vendor//x/../file", "vendor/file"),
]
NOT_MATCHING = [
    ("**/**/*.md5", "doc/guide/intro.md"),
    ("doc/*.md", "doc/guide/intro.md"),
    ("part[1-3].bin", "part4.bin"),
    (".*", "git"),
    ("a.out", "a_out"),
    ("build/**", "build"),
    ("**/.env", "prod.env"),
    ("v*/x", "v1/2/x"),
    ("*1?2*3", "0112x1y2z4"),
    ("v???x", "v☃x"),
    ("v?x", "v/x"),
    ("*.go", "cmd/main.go"),
    ("star\\*name", "starname"),
    ("notes", "deep/notes"),
]
MALFORMED = ["[", "[^", "[]b]", "[-]", "[b-]", "[-b]", "\\", "[0-5-9]", "name[", "[^yz", "[z-a]", "!", "![", "name\\"]


@pytest.mark.parametrize(("pattern", "path"), MATCHING)
def test_pattern_matches_what_docker_matches(pattern: str, path: str) -> None:
    assert PatternMatcher([pattern]).excludes(path)


@pytest.mark.parametrize(("pattern", "path"), NOT_MATCHING)
def test_pattern_leaves_what_docker_leaves(pattern: str, path: str) -> None:
    assert not PatternMatcher([pattern]).excludes(path)


@pytest.mark.parametrize("pattern", MALFORMED)
def test_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ContextError) as caught:
        PatternMatcher(["fine", pattern])

    assert caught.value.slug == "dockerignore-invalid"


@pytest.mark.parametrize(
    ("patterns", "path", "excluded"),
    [
        (["doc", "!doc/index.md"], "doc/index.md", False),
        (["doc", "!doc/index.md"], "doc/other.md", True),
        (["!keep.tmp", "*.tmp"], "keep.tmp", True),
        (["*.tmp", "!keep.tmp"], "keep.tmp", False),
        (["**", "!site/pages"], "site/pages/home", False),
        (["**", "!site/pages", "site/pages/home"], "site/pages/home", True),
        (["**", "!dist/*.deb"], "dist/a.deb", False),
        (["*", "!src"], "src/deep/file", False),
        (["*", "!src", "**/*.pyc"], "src/deep/file.pyc", True),
        ([" docs ", "", " !docs/x "], "docs/x", False),
        # An exception for a parent directory does not bring back what only the child's pattern excluded.
        (["a/b", "!a"], "a/b/c", True),
    ],
)
def test_last_matching_pattern_decides(patterns: list[str], path: str, excluded: bool) -> None:
    assert PatternMatcher(patterns).excludes(path) is excluded


def test_reader_cleans_lines_as_docker_does() -> None:
    raw = b"\xef\xbb\xbf# a comment\nplain\r\n/rooted\n  /x//y/./z/ \n\n #name\n! /kept/one\n!\n/\nend"

    expected = ["plain", "rooted", "x/y/z", "#name", "!kept/one", "!", "/", "end"]
    assert expected == read_patterns(raw)


def test_byte_order_mark_is_dropped_before_the_comment_sign() -> None:
    assert read_patterns("\ufeffname\n\ufeffkept") == ["name", "\ufeffkept"]


def test_names_that_are_not_utf8_survive_reading() -> None:
    assert PatternMatcher(read_patterns(b"caf\xe9")).excludes("caf\udce9")


@pytest.mark.parametrize(
    ("patterns", "directory", "may"),
    [
        (["dir"], "dir", False),
        (["dir", "!dir/sub/file"], "dir", True),
        (["dir", "!dir/sub/file"], "dir/sub", True),
        (["dir", "!dir/sub/file"], "dir/other", False),
        (["dir", "!dir/sub/*"], "dir/sub", True),
        (["dir", "!other"], "dir", False),
        (["dir", "!**/keep"], "dir", True),
    ],
)
def test_excluded_directory_is_entered_only_for_an_exception(patterns: list[str], directory: str, may: bool) -> None:
    assert PatternMatcher(patterns).may_except_below(directory) is may


@pytest.mark.parametrize("pattern", ["**/" * 30 + "x", "*a" * 40 + "b", "**a" * 30 + "/b", "[^b]*" * 30 + "c"])
def test_hostile_pattern_costs_time_linear_in_the_path(pattern: str) -> None:
    matcher = PatternMatcher([pattern])
    path = "/".join(["a" * 50] * 80)

    began = time.process_time()
    excluded = matcher.match(path, None)[0]

    assert not excluded
    assert time.process_time() - began < 2


@given(st.text("ab*?/[]^-\\.", max_size=10), st.lists(st.text("ab./-^]", max_size=8), max_size=8))
def test_automaton_agrees_with_the_regular_expression(pattern: str, paths: list[str]) -> None:
    try:
        tokens = parse(pattern)
    except ValueError:
        return
    automaton = Automaton(tokens)
    regex = re.compile("".join(token.regex for token in tokens))

    for path in paths:
        assert automaton.matches(path) is (regex.fullmatch(path) is not None)


@given(st.text(min_size=1, max_size=12).filter(lambda path: "\n" not in path))
def test_escaped_path_matches_itself_only(path: str) -> None:
    matches = compile_pattern(escape(path))

    assert matches(path)
    assert not matches(path + "x")
