"""Fetches build sources from URLs: a git repository, a tarball, or a lone Dockerfile.

Which is which follows Docker's own rules: `git://`, `git@`, `ssh://`, `github.com/…` and `http(s)://….git` are
repositories, with `#ref:directory` behind; anything else over HTTP is a tarball if it looks like one, else a
Dockerfile. Source: the reference page of `docker build`, "URL".
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shlex
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urldefrag

import aiohttp

from shipway.context.decompress import Decompressor
from shipway.context.limits import Limits
from shipway.context.source import ContextSource
from shipway.context.tarindex import TarIndexer
from shipway.context.walk import walk
from shipway.egress import CONNECT, Egress
from shipway.exceptions import BuildSystemError, BuildUserError, ContextError, RequestError
from shipway.models.context import Entry, EntryType, Manifest
from workers import tunnel
from workers.socks import SocksProxy

STALL = 20.0
"""Seconds to wait for each piece of an answer."""
REDIRECTS = 5
MAX_DOCKERFILE = 2**20
GIT_ENV = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "git:http:https:ssh",
    "NO_PROXY": "",
}
INHERITED = ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "SSH_AUTH_SOCK")
"""What git sees of the worker's environment, which also holds the keys to Redis and to credentials."""
READ = 1 << 20
ARCHIVE = Limits(max_bytes=200 * 2**30, max_ratio=5000)
"""An image may well hold a gibibyte of zeros; the daemon's disk is the limit."""


def is_git(url: str) -> bool:
    """Whether Docker would take this URL for a git repository."""
    bare = urldefrag(url).url
    return bare.startswith(("git://", "git@", "ssh://", "github.com/")) or bare.endswith(".git")


@dataclass(frozen=True, slots=True)
class Remote:
    """Fetches into a folder that the caller removes.

    Attributes:
        folder: what is fetched lies here.
        egress: where connections may go.
        limits: what a context may hold.
    """

    folder: Path
    egress: Egress
    limits: Limits

    async def context(self, url: str, dockerfile: str) -> tuple[ContextSource, ContextSource | None]:
        """Fetch a context; the second one is set when the URL was that of a Dockerfile alone.

        Raises:
            BuildUserError: there is nothing usable at the URL, or it leads where it may not (`remote-forbidden`).
            BuildSystemError: its server can't be reached or fails.
        """
        if is_git(url):
            return _directory(await self._clone(url)), None
        path = self.folder / hashlib.sha256(url.encode()).hexdigest()
        with path.open("wb") as file:
            async for chunk in download(url, self.egress):
                file.write(chunk)
                if file.tell() > self.limits.max_bytes:
                    raise BuildUserError(f"{url} has more than {self.limits.max_bytes} bytes", slug="context-too-large")
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
        async with SocksProxy.serving(self.egress) as proxy:
            git = _Git(self.folder, proxy)
            await git(self.folder, "init", "--quiet", str(root))
            await git(root, "remote", "add", "origin", "--", address)
            await git(root, "fetch", "--quiet", "--depth", "1", "origin", ref)
            await git(root, "-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "FETCH_HEAD")
            await git(root, "submodule", "--quiet", "update", "--init", "--recursive", "--depth", "1")
        return _inside(root.resolve(), below, url)

    def _unpacked(self, path: Path) -> ContextSource:
        tar = path.with_suffix(".tar")
        unpacking, indexer = Decompressor(self.limits), TarIndexer(self.limits, str(tar))
        with path.open("rb") as packed, tar.open("wb") as plain_tar:
            for chunk in iter(lambda: packed.read(READ), b""):
                for piece in unpacking.feed(chunk):
                    indexer.feed(piece)
                    plain_tar.write(piece)
            for piece in unpacking.finish():
                indexer.feed(piece)
                plain_tar.write(piece)
        return ContextSource(indexer.finish(), _read)


async def download(url: str, egress: Egress) -> AsyncIterator[bytes]:
    """Read what is at a URL in chunks.

    Raises:
        BuildUserError: it leads where it may not (`remote-forbidden`), or its server says that there is nothing for us.
        BuildSystemError: its server can't be reached or fails.
    """
    connector = aiohttp.TCPConnector(socket_factory=egress.socket)
    limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=STALL)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limits, auto_decompress=False) as session,
            session.get(url, max_redirects=REDIRECTS) as answer,
        ):
            if 400 <= answer.status < 500:  # noqa: PLR2004
                raise BuildUserError(f"{url} answers {answer.status}", slug="remote-refused")
            if not answer.ok:
                raise BuildSystemError(f"{url} answers {answer.status}", slug="remote-failed")
            async for chunk in answer.content.iter_chunked(READ):
                yield chunk
    except aiohttp.ClientConnectorError as fault:
        if fault.errno == errno.EACCES:
            raise _forbidden(url) from fault
        raise BuildSystemError(f"{url} can't be fetched: {fault}", slug="remote-unreachable") from fault
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, aiohttp.TooManyRedirects, ValueError) as fault:
        raise BuildUserError(f"{url} can't be fetched: {fault!r}", slug="remote-invalid") from fault
    except (aiohttp.ClientError, OSError) as fault:  # TimeoutError is an OSError
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


class _Git:
    """Runs git with nothing of the worker's own at hand, and with no way out but a proxy."""

    def __init__(self, folder: Path, proxy: SocksProxy) -> None:
        self._proxy = proxy
        way = folder / "tunnel"
        way.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, tunnel.__file__, str(proxy.port)])} "$@"\n')
        way.chmod(0o700)
        ssh = f"ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ProxyCommand='{way} %h %p'"
        self._env = {name: os.environ[name] for name in INHERITED if name in os.environ} | {
            **GIT_ENV,
            "HOME": str(folder),
            "ALL_PROXY": f"socks5h://127.0.0.1:{proxy.port}",
            "GIT_PROXY_COMMAND": str(way),
            "GIT_SSH_COMMAND": ssh,
        }

    async def __call__(self, folder: Path, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *("git", *arguments),
            cwd=folder,
            env=self._env,
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
            if self._proxy.refused:
                raise _forbidden("the git repository (or a submodule of it)")
            raise _git_failure(said.decode(errors="replace").strip()[-1000:])


def _forbidden(what: str) -> BuildUserError:
    return BuildUserError(
        f"{what} leads to an address that is not public; the operator can allow it by SHIPWAY_FETCH_ALLOW",
        slug="remote-forbidden",
    )


def _git_failure(text: str) -> BuildUserError | BuildSystemError:
    away = (
        "Could not resolve host",
        "Connection refused",
        "timed out",
        "unable to connect",
        "returned error: 5",
        "SOCKS5",
    )
    if any(sign in text for sign in away):
        return BuildSystemError(f"git can't fetch the context: {text}", slug="git-unreachable")
    return BuildUserError(f"git can't fetch the context: {text}", slug="git-failed")
