"""Fetches build sources from URLs: a git repository, a tarball, or a lone Dockerfile.

Which is which follows Docker's own rules: `git://`, `git@`, `ssh://`, `github.com/…` and `http(s)://….git` are
repositories, with `#ref:directory` behind; anything else over HTTP is a tarball if it looks like one, else a
Dockerfile. Source: the reference page of `docker build`, "URL".
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urldefrag

import httpx

from shipway.context.decompress import Decompressor
from shipway.context.limits import Limits
from shipway.context.source import ContextSource
from shipway.context.tarindex import TarIndexer
from shipway.context.walk import walk
from shipway.exceptions import BuildSystemError, BuildUserError, ContextError, RequestError
from shipway.models.context import Entry, EntryType, Manifest

CONNECT = 20.0
"""Seconds to wait for a connection, and for each piece of an answer."""
MAX_DOCKERFILE = 2**20
GIT_ENV = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new",
    "GIT_ALLOW_PROTOCOL": "git:http:https:ssh",
}
READ = 1 << 20
ARCHIVE = Limits(max_bytes=200 * 2**30, max_ratio=5000)
"""An image may well hold a gibibyte of zeros; the daemon's disk is the limit."""


def is_git(url: str) -> bool:
    """Whether Docker would take this URL for a git repository."""
    bare = urldefrag(url).url
    return bare.startswith(("git://", "git@", "ssh://", "github.com/")) or bare.endswith(".git")


@dataclass(frozen=True, slots=True)
class Remote:
    """Fetches into a folder that the caller removes."""

    folder: Path

    async def context(self, url: str, dockerfile: str) -> tuple[ContextSource, ContextSource | None]:
        """Fetch a context; the second one is set when the URL was that of a Dockerfile alone.

        Raises:
            BuildUserError: there is nothing usable at the URL.
            BuildSystemError: its server can't be reached or fails.
        """
        if is_git(url):
            return _directory(await self._clone(url)), None
        path = self.folder / hashlib.sha256(url.encode()).hexdigest()
        with path.open("wb") as file:
            async for chunk in download(url):
                file.write(chunk)
        try:
            return await asyncio.to_thread(self._unpacked, path), None
        except ContextError as fault:
            if fault.slug != "context-not-tar" or path.stat().st_size > MAX_DOCKERFILE:
                raise BuildUserError(f"{url}: {fault.message}", slug=fault.slug) from fault
        alone = _one_file(dockerfile, path)
        return ContextSource(Manifest([]), alone.read), alone

    async def _clone(self, url: str) -> Path:
        address, _, fragment = url.partition("#")
        ref, _, below = fragment.partition(":")
        ref = ref or "HEAD"
        if ref.startswith("-"):
            raise BuildUserError(f"{ref[:100]!r} is no git reference", slug="git-reference-invalid")
        if address.startswith("github.com/"):
            address = f"https://{address}"
        root = self.folder / "git"
        await _git(self.folder, "init", "--quiet", str(root))
        await _git(root, "remote", "add", "origin", "--", address)
        await _git(root, "fetch", "--quiet", "--depth", "1", "origin", ref)
        await _git(root, "-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "FETCH_HEAD")
        await _git(root, "submodule", "--quiet", "update", "--init", "--recursive", "--depth", "1")
        return _inside(root.resolve(), below, url)

    def _unpacked(self, path: Path) -> ContextSource:
        limits = Limits()
        tar = path.with_suffix(".tar")
        unpacking, indexer = Decompressor(limits), TarIndexer(limits, str(tar))
        try:
            with path.open("rb") as packed, tar.open("wb") as plain_tar:
                for chunk in iter(lambda: packed.read(READ), b""):
                    for piece in unpacking.feed(chunk):
                        indexer.feed(piece)
                        plain_tar.write(piece)
                for piece in unpacking.finish():
                    indexer.feed(piece)
                    plain_tar.write(piece)
            return ContextSource(indexer.finish(), _read)
        except RequestError as fault:
            if isinstance(fault, ContextError):
                raise
            raise BuildUserError(fault.message, slug=fault.slug) from fault


async def download(url: str) -> AsyncIterator[bytes]:
    """Read what is at a URL in chunks.

    Raises:
        BuildUserError: its server says that there is nothing for us.
        BuildSystemError: its server can't be reached or fails.
    """
    try:
        async with (
            httpx.AsyncClient(follow_redirects=True, max_redirects=5, timeout=CONNECT) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.is_client_error:
                raise BuildUserError(f"{url} answers {answer.status_code}", slug="remote-refused")
            if not answer.is_success:
                raise BuildSystemError(f"{url} answers {answer.status_code}", slug="remote-failed")
            async for chunk in answer.aiter_raw(READ):
                yield chunk
    except httpx.InvalidURL as fault:
        raise BuildUserError(f"{url}: {fault}", slug="remote-invalid") from fault
    except httpx.HTTPError as fault:
        raise BuildSystemError(f"{url} can't be fetched: {fault!r}", slug="remote-unreachable") from fault


async def plain(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Decompress an archive while it streams by; not every engine knows every compression.

    Raises:
        BuildUserError: it is damaged (`archive-invalid`), or unpacks to too much (`archive-bomb`).
    """
    unpacking = Decompressor(ARCHIVE)
    try:
        async for chunk in chunks:
            for piece in unpacking.feed(chunk):
                yield piece
        for piece in unpacking.finish():
            yield piece
    except RequestError as fault:
        slug = "archive-invalid" if isinstance(fault, ContextError) else "archive-bomb"
        raise BuildUserError(fault.message.replace("context", "archive"), slug=slug) from fault


def _inside(root: Path, below: str, url: str) -> Path:
    wanted = Path(os.path.realpath(root / below.strip("/")))
    if not wanted.is_relative_to(root) or not wanted.is_dir():
        raise BuildUserError(f"{url} has no directory {below!r}", slug="git-directory-missing")
    return wanted


def _directory(root: Path) -> ContextSource:
    entries = [
        Entry(f.path, f.type, f.mode, f.size, f.stat.st_mtime_ns, f.link, blob=f.source if f.size else "")
        for f in walk(root, [".git"])
    ]
    return ContextSource(Manifest(entries), _read)


def _one_file(name: str, path: Path) -> ContextSource:
    size = path.stat().st_size
    return ContextSource(Manifest([Entry(name, EntryType.FILE, 0o644, size, blob=str(path))]), _read)


async def _read(entry: Entry) -> AsyncIterator[bytes]:
    with open(entry.blob, "rb") as file:  # noqa: ASYNC230, PTH123  (just fetched: it is in the page cache)
        file.seek(entry.offset)
        left = entry.size
        while left and (chunk := file.read(min(READ, left))):
            left -= len(chunk)
            yield chunk


async def _git(folder: Path, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *("git", *arguments),
        cwd=folder,
        env={**os.environ, **GIT_ENV, "HOME": str(folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = said.decode(errors="replace").strip()[-1000:]
        raise _git_failure(text)


def _git_failure(text: str) -> BuildUserError | BuildSystemError:
    away = ("Could not resolve host", "Connection refused", "timed out", "unable to connect", "returned error: 5")
    if any(sign in text for sign in away):
        return BuildSystemError(f"git can't fetch the context: {text}", slug="git-unreachable")
    return BuildUserError(f"git can't fetch the context: {text}", slug="git-failed")
