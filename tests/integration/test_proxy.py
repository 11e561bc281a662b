"""The nginx example, as it is but for places and ports, before the real service: TLS, large uploads, live events."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.authority import Authority
from deploy.local.engine import REPOSITORY
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import Child
from deploy.local.servers import authorization
from deploy.local.stack import Stack
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi

pytestmark = pytest.mark.engine_independent

NGINX = REPOSITORY / ".cache/tools/usr/sbin/nginx"
LARGE = 48 * 2**20
"""More than nginx takes by default (1 MiB), and than the example takes where nothing is uploaded (16 MiB)."""


def configuration(folder: Path, service: int, ports: tuple[int, int]) -> str:
    """The example with this machine's places and ports; every one of them must be in it."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    scratch = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    places = {
        "http {": f"http {{ {scratch}",
        "/etc/shipway/tls": str(folder),
        "/var/log/nginx": str(folder),
        "/run/nginx.pid": f"{folder}/pid",
        "listen 80;": f"listen {LOOPBACK}:{ports[0]};",
        "listen 443 ": f"listen {LOOPBACK}:{ports[1]} ",
        "127.0.0.1:8470": f"{LOOPBACK}:{service}",
    }
    text = (REPOSITORY / "deploy/proxy/nginx.conf").read_text()
    for there, here in places.items():
        assert there in text
        text = text.replace(there, here, 1 if there == "http {" else -1)
    return text


@pytest.fixture(scope="module")
def proxied(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpApi]:
    """The stack's service behind nginx, with a certificate of a private authority."""
    if not NGINX.exists():
        pytest.skip("nginx could not be fetched")
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)  # its workers are another user
    authority = Authority(folder / "authority")
    issued, ports = authority.issue(LOOPBACK), (free_port(), free_port())
    issued.certificate.rename(folder / "cert.pem")
    issued.key.rename(folder / "key.pem")
    (folder / "nginx.conf").write_text(configuration(folder, stack.service.port, ports))
    command: list[str | Path] = [
        NGINX,
        "-e",
        folder / "error.log",
        "-p",
        folder,
        "-c",
        folder / "nginx.conf",
        "-g",
        "daemon off;",
    ]
    url = f"https://{LOOPBACK}:{ports[1]}"
    trusting = ssl.create_default_context(cafile=authority.certificate)

    with httpx.Client(
        base_url=url, headers=authorization(stack.token), verify=trusting, timeout=90, trust_env=False
    ) as client:
        child = Child("nginx", command, log=folder / "log")
        child.start(lambda: _answers(client))
        api = HttpApi(url, stack.token)
        api.http.close()
        api.http = client
        yield api
        child.stop()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").is_success
    except httpx.HTTPError:
        return False


def test_large_context_passes(proxied: HttpApi) -> None:
    files = {**script("FROM base", "COPY large /large"), "large": os.urandom(LARGE)}

    job = proxied.succeed(files)

    assert job.result.context_sent >= LARGE


def test_events_come_while_the_build_runs(proxied: HttpApi) -> None:
    job = proxied.submit(script("FROM base", f"RUN echo begun; sleep 600 # {once()}"))

    proxied.wait_for_text(job.id, "begun")

    assert proxied.job(job.id).state == "running"
    proxied.cancel(job.id)
    assert proxied.wait(job.id).state == "cancelled"


def test_what_should_be_small_may_not_be_large(proxied: HttpApi) -> None:
    answer = proxied.http.post("/v1/tokens", content=bytes(17 * 2**20))

    assert answer.status_code == 413
