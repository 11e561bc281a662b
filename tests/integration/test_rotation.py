"""A new key comes, the old one goes, and nothing that was sealed is lost on the way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from deploy.local.engine import REPOSITORY
from deploy.local.redis import RedisServer
from shipway.exceptions import BuildSystemError
from shipway.models.credentials import Credentials, RegistryLogin
from shipway.storage.logins import LoginStore
from shipway.storage.redis import connect
from shipway.storage.sealing import Sealer

pytestmark = pytest.mark.engine_independent

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
LOGIN = RegistryLogin(username="ada", password="byron")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as running:
        yield running


def test_what_travels_is_read_by_both_keys_and_sealed_by_the_first() -> None:
    on_its_way = Sealer(OLD).seal(Credentials(secrets={"a": "b"}))
    both = Sealer(f"{NEW}, {OLD}")

    assert both.unseal(on_its_way).secrets == {"a": "b"}
    assert Sealer(NEW).unseal(both.seal(Credentials(secrets={"a": "b"}))).secrets == {"a": "b"}
    with pytest.raises(BuildSystemError):
        Sealer(NEW).unseal(on_its_way)


def test_what_is_kept_is_sealed_anew_by_a_command(server: RedisServer) -> None:
    asyncio.run(_logins(server, OLD, LOGIN))
    env = {**os.environ, "SHIPWAY_REDIS_URL": server.url, "SHIPWAY_SECRET_KEYS": f"{NEW},{OLD}"}

    done = subprocess.run(
        [sys.executable, "-m", "service.rotation"], cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "sealed 1 registry logins anew\n"), done.stderr
    assert asyncio.run(_logins(server, NEW)) == {"a.example": LOGIN}


async def _logins(server: RedisServer, key: str, put: RegistryLogin | None = None) -> dict[str, RegistryLogin]:
    redis = connect(server.url)
    store = LoginStore(redis, Sealer(key))
    try:
        if put is not None:
            await store.put("team", "a.example", put)
        return await store.all("team")
    finally:
        await redis.aclose()
