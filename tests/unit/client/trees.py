"""Directories as the client sees them, and ways to change one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from shipway.client.snapshot import Snapshot, packed
from shipway.client.statcache import StatCache, Tree
from shipway.context.decompress import Decompressor
from shipway.context.limits import Limits
from shipway.context.listing import ListingReader
from shipway.context.pack import tar_of_directory
from shipway.context.tarindex import TarIndexer
from shipway.context.walk import walk
from shipway.models.context import Manifest

PAST = 1_000_000_000 * 10**9


def tree(root: Path) -> Tree:
    return Tree(tuple(walk(root, [])), StatCache(root, []))


def digest(root: Path) -> str:
    return Snapshot(tree(root)).digest


def by_tar(root: Path) -> Manifest:
    """What the service makes of a tar of the same directory."""
    indexer = TarIndexer(Limits(), "tar")
    for chunk in tar_of_directory(walk(root, [])):
        indexer.feed(chunk)
    return indexer.finish()


def listed(lines: list[str], base: Manifest | None = None) -> Manifest:
    """What the service makes of a listing."""
    reader, decompressor = ListingReader(Limits(), base), Decompressor(Limits())
    for piece in decompressor.feed(packed(lines)):
        reader.feed(piece)
    return reader.finish()


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("f2")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "x").write_text("x")


def _older(path: Path) -> None:
    shutil.copy2(path.with_name("f3"), path)
    os.utime(path, ns=(PAST, PAST))


def rewritten(path: Path, *, in_place: bool) -> None:
    """Change the content, and set everything back that can be set back."""
    status, content = path.stat(), path.read_bytes()[::-1]
    if not in_place:
        path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _exchanged(one: Path, other: Path) -> None:
    spare = one.with_name("spare")
    one.rename(spare)
    other.rename(one)
    spare.rename(other)


EDITS: dict[str, Callable[[Path], object]] = {
    "same size, same mtime": lambda p: rewritten(p, in_place=True),
    "another inode, same size, same mtime": lambda p: rewritten(p, in_place=False),
    "chmod": lambda p: p.chmod(0o755),
    "a link in its place": _link,
    "a directory in its place": _directory,
    "an exchange with its neighbour": lambda p: _exchanged(p, p.with_name("f2")),
    "an older copy": _older,
    "emptied": lambda p: p.write_text(""),
    "removed": Path.unlink,
}
