"""Directories for the differential test: one with everything in it, and random ones."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

NAMES = ("a", "b", "keep.txt", "drop.log", "src", "docs", "node_modules", "x.md", ".hidden", "ü", "a b", "[c]")
PATTERNS = (
    *("*", "**", "*.log", "**/*.md", "src", "src/", "/docs", "docs/**", "**/b", "*/a", "*/*/a", "?", "./src/../docs"),
    *("!keep.txt", "!**/keep.txt", "!src", "!src/**", "!docs/*.md", "!*/b", "!**/*.md", "!.hidden"),
    *(
        "# a comment",
        "",
        "  a  ",
        "\\[c\\]",
        "[a-b]",
        "[^a]",
        "**/node_modules",
        "a/b",
        "!a/b",
        "ü",
        "a b",
        "**/src/**",
    ),
)
MODES = (0o644, 0o600, 0o755, 0o4755, 0o2711, 0o400, 0o666)


def everything(root: Path) -> None:
    """Fill a directory with every sort of entry and an ignore file with every sort of rule."""
    _file(root, "Dockerfile", "FROM scratch\nCOPY . /ctx/\n")
    _file(root, ".dockerignore", "*.log\n!important.log\n**/cache\n!one/cache/keep\nsecret/**\n!secret/public.txt\n")
    for name in ("noise.log", "important.log", "deep/noise.log", "one/cache/x", "one/cache/keep", "two/a/cache/x"):
        _file(root, name, name)
    for name in ("secret/key", "secret/public.txt", "secret/more/key", "größe/ñandú.txt", "日本/語", "a b/c\td"):
        _file(root, name, name)
    _file(root, "long/" + "n" * 255, "long")
    _file(root, "/".join(["d" * 60] * 8) + "/deep", "deep")
    for mode in (0o600, 0o4755, 0o2755, 0o1644, 0o7777, 0o000, 0o444):
        _file(root, f"modes/{mode:04o}", str(mode), mode)
    _directory(root, "empty")
    _directory(root, "open", 0o777)
    _directory(root, "sticky", 0o1777)
    _directory(root, "group", 0o2775)
    _directory(root, "closed/inner", 0o700)
    _file(root, "nothing", "")
    _file(root, "large", "0123456789abcdef" * 80_000)
    _file(root, "run", "#!/bin/sh\n", 0o755)
    os.link(root / "run", root / "hard")
    _directory(root, "links")
    os.link(root / "large", root / "links/hard")
    targets = {
        "relative": "../run",
        "absolute": "/etc/passwd",
        "dangling": "no/where",
        "loop": "loop",
        "dir": "../open",
    }
    for name, target in targets.items():
        (root / "links" / name).symlink_to(target)
    (root / "links/long").symlink_to("/".join(["t" * 50] * 6))


def exception_behind_a_wildcard(root: Path) -> None:
    """Fill a directory whose ignore file brings a file back by a pattern that does not begin with its directory."""
    _file(root, "Dockerfile", "FROM scratch\nCOPY . /ctx/\n")
    _file(root, ".dockerignore", "**/cache\n!**/cache/keep\n")
    _file(root, "one/cache/keep", "kept")
    _file(root, "one/cache/drop", "dropped")


def random_tree(root: Path, seed: int) -> None:
    """Fill a directory with a tree and an ignore file drawn by a seed: the same seed, the same tree."""
    draw = Random(seed)
    _fill(root, draw, depth=3)
    lines = draw.choices(PATTERNS, k=draw.randint(1, 6))
    _file(root, ".dockerignore", "\n".join(lines) + draw.choice(["", "\n", "\r\n"]))
    _file(root, "Dockerfile", "FROM scratch\nCOPY . /ctx/\n")


def _fill(folder: Path, draw: Random, depth: int) -> None:
    for name in draw.sample(NAMES, k=draw.randint(1, 6)):
        kind = draw.random()
        if kind < 0.4 and depth:
            _directory(folder, name, draw.choice([0o755, 0o700, 0o777]))
            _fill(folder / name, draw, depth - 1)
        elif kind < 0.55:
            (folder / name).symlink_to(draw.choice(["a", "../b", "/abs", "src/x.md"]))
        else:
            _file(folder, name, str(draw.random()), draw.choice(MODES))


def _file(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _directory(root: Path, name: str, mode: int = 0o755) -> None:
    path = root / name
    path.mkdir(parents=True)
    path.chmod(mode)
