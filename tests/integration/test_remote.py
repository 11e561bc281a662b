"""Sources fetched from URLs: real web and git servers, and no way into the operator's network."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.ports import free_port
from deploy.local.waiting import wait_until
from shipway.context.limits import Limits
from shipway.egress import Egress
from shipway.exceptions import BuildUserError
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import HttpApi
from tests.support.web import Web
from workers.remote import Remote

pytestmark = pytest.mark.engine_independent

ALLOWED = "127.0.0.2"
"""The one address of loopback that these fetches may use; servers on 127.0.0.1 stand for the operator's network."""


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """A worker's fetching, which may use `ALLOWED` alone."""
    return Remote(tmp_path / "fetched", Egress(ALLOWED), Limits())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> None:
    (tmp_path / "fetched").mkdir()


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """A folder with the repository `app.git`, whose Dockerfile lies in `image/`."""
    root = tmp_path / "repositories"
    (root / "app.git/image").mkdir(parents=True)
    (root / "app.git/image/Dockerfile").write_text("FROM base\n")
    git(root / "app.git", "init", "--quiet")
    commit(root / "app.git")
    return root


def commit(repository: Path) -> None:
    git(repository, "add", "--all")
    git(repository, "-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "-m", "m")


@contextmanager
def git_daemon(repositories: Path, address: str) -> Iterator[str]:
    """Serve repositories by git's own protocol."""
    port = free_port()
    command = ["git", "daemon", "--export-all", f"--base-path={repositories}", f"--listen={address}", f"--port={port}"]
    with subprocess.Popen([*command, str(repositories)], stderr=subprocess.DEVNULL) as process:
        try:
            assert wait_until(lambda: answers(address, port), 10)
            yield f"{address}:{port}"
        finally:
            process.terminate()


def answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


async def refused(remote: Remote, url: str) -> str:
    """The slug of the refusal that a URL must meet."""
    with pytest.raises(BuildUserError) as fault:
        await remote.context(url, "Dockerfile")
    return fault.value.slug


async def test_tarball_is_fetched(remote: Remote) -> None:
    with Web({"/a.tar": tar_of(script("FROM base"))}, address=ALLOWED) as web:
        context, dockerfile = await remote.context(f"{web.url}/a.tar", "Dockerfile")

    assert dockerfile is None
    assert [entry.path for entry in context.manifest] == ["Dockerfile"]


async def test_address_inside_is_not_even_connected_to(remote: Remote) -> None:
    with Web({"/a.tar": tar_of(script("FROM base"))}) as inside:
        port = inside.url.rpartition(":")[2]
        names = ["127.0.0.1", "localhost", "127.1", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
        slugs = {name: await refused(remote, f"http://{name}:{port}/a.tar") for name in names}

    # aiohttp takes an address that is cut short for no URL at all.
    assert slugs == dict.fromkeys(names, "remote-forbidden") | {"127.1": "remote-invalid"}
    assert inside.asked == []


async def test_redirect_inside_is_refused(remote: Remote) -> None:
    with Web({"/a.tar": b"secret"}) as inside, Web(redirects={"/a": f"{inside.url}/a.tar"}, address=ALLOWED) as web:
        slug = await refused(remote, f"{web.url}/a")

    assert slug == "remote-forbidden"
    assert (web.asked, inside.asked) == (["/a"], [])


async def test_redirect_to_another_protocol_is_refused(remote: Remote) -> None:
    with Web(redirects={"/a": "file:///etc/passwd"}, address=ALLOWED) as web:
        slug = await refused(remote, f"{web.url}/a")

    assert slug == "remote-invalid"


async def test_name_with_an_address_inside_and_one_outside_leads_outside(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a name whose address changes between two looks is judged by the one that is connected to."""
    with Web({"/a.tar": tar_of(script("FROM base"))}, address=ALLOWED) as web, Web() as inside:
        port = int(web.url.rpartition(":")[2])
        both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("127.0.0.1", ALLOWED)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)

        await remote.context(f"http://two.example:{port}/a.tar", "Dockerfile")
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both[:1])
        slug = await refused(remote, f"http://two.example:{port}/b.tar")

    assert slug == "remote-forbidden"
    assert (web.asked, inside.asked) == (["/a.tar"], [])


async def test_repository_is_fetched_over_http(remote: Remote, repositories: Path) -> None:
    with Web(repositories=repositories, address=ALLOWED) as web:
        context, _ = await remote.context(f"{web.url}/app.git#HEAD:image", "Dockerfile")

    assert [entry.path for entry in context.manifest] == ["Dockerfile"]


async def test_repository_is_fetched_by_gits_own_protocol(remote: Remote, repositories: Path) -> None:
    with git_daemon(repositories, ALLOWED) as address:
        context, _ = await remote.context(f"git://{address}/app.git#:image", "Dockerfile")

    assert [entry.path for entry in context.manifest] == ["Dockerfile"]


@pytest.mark.parametrize("protocol", ["http", "git", "ssh"])
async def test_repository_inside_is_not_even_connected_to(remote: Remote, protocol: str) -> None:
    with Web() as inside:
        slug = await refused(remote, f"{protocol}://{inside.address}/app.git")

    assert slug == "remote-forbidden"
    assert inside.asked == []


async def test_repository_that_redirects_inside_is_refused(remote: Remote, repositories: Path) -> None:
    with Web(repositories=repositories) as inside:
        path = "/app.git/info/refs"
        with Web(redirects={path: f"{inside.url}{path}?service=git-upload-pack"}, address=ALLOWED) as web:
            slug = await refused(remote, f"{web.url}/app.git")

    assert slug == "remote-forbidden"
    assert inside.asked == []


async def test_submodule_inside_is_refused(remote: Remote, repositories: Path) -> None:
    with Web(repositories=repositories) as inside, Web(repositories=repositories, address=ALLOWED) as web:
        app = repositories / "app.git"
        (app / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = s\n\turl = {inside.url}/app.git\n')
        git(app, "update-index", "--add", "--cacheinfo", f"160000,{git(app, 'rev-parse', 'HEAD')},s")
        (app / "s").mkdir()
        commit(app)

        slug = await refused(remote, f"{web.url}/app.git")

    assert slug == "remote-forbidden"
    assert inside.asked == []


async def test_git_sees_nothing_of_the_workers_environment(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `git` that writes down its environment and fails stands first on the path."""
    seen = tmp_path / "seen"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text(f"#!/bin/sh\nenv > {seen}\nexit 1\n")
    (tmp_path / "bin/git").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("SHIPWAY_SECRET_KEYS", "canary")

    assert await refused(remote, "https://host.example/app.git") == "git-failed"
    assert "canary" not in seen.read_text()
    assert "GIT_ALLOW_PROTOCOL" in seen.read_text()


async def test_more_than_a_context_may_hold_is_not_fetched(remote: Remote, tmp_path: Path) -> None:
    small = Remote(tmp_path / "fetched", remote.egress, Limits(max_bytes=2**20))
    with Web({"/a.tar": bytes(3 * 2**20)}, address=ALLOWED) as web:
        slug = await refused(small, f"{web.url}/a.tar")

    assert slug == "context-too-large"


def test_build_from_a_url_that_the_operator_allows(api: HttpApi) -> None:
    """The local stack allows loopback: a tarball, and an address of a metadata service beside it."""
    with Web({"/a.tar": tar_of(script("FROM base", f"RUN echo {once()}"))}) as web:
        answer = api.http.post("/v1/builds", json={"remote": f"{web.url}/a.tar"})
        built = api.wait(answer.json()["id"])
        answer = api.http.post("/v1/builds", json={"remote": "http://169.254.169.254/latest/meta-data.tar"})
        stolen = api.wait(answer.json()["id"])

    assert built.state == "succeeded", built.error
    assert stolen.error is not None
    assert (stolen.error.slug, stolen.attempt) == ("remote-forbidden", 1)
