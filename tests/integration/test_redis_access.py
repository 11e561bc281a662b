"""Service and workers on a Redis that asks for a password over TLS, each as a user of its own: deploy/redis.acl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from redis.exceptions import AuthenticationError, NoPermissionError

from deploy.local.authority import Authority
from deploy.local.dockerd import Dockerd
from deploy.local.engine import REPOSITORY
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.redis import RedisServer
from deploy.local.stack import Plan, Stack
from shipway.storage import keys
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi

pytestmark = pytest.mark.engine_independent

WORDS = {"SERVICE_PASSWORD": once(), "WORKER_PASSWORD": once()}
OPERATOR = once()
"""The password of who may ask Redis what others may."""


class LockedRedis(RedisServer):
    """A server with the users of deploy/redis.acl; its URL is the service's, and leads over TLS."""

    def __init__(self, state: Path) -> None:
        authority = Authority(state / "authority")
        own = authority.issue(LOOPBACK)
        self.tls_port = free_port()
        self.authority = authority.certificate
        tls = {"port": self.tls_port, "cert-file": own.certificate, "key-file": own.key, "auth-clients": "no"}
        super().__init__(
            state, extra=tuple(str(word) for key, value in tls.items() for word in (f"--tls-{key}", value))
        )

    @property
    def url(self) -> str:
        return self.url_of("service")

    def url_of(self, user: str) -> str:
        password = WORDS[f"{user.upper()}_PASSWORD"]
        return f"rediss://{user}:{password}@{LOOPBACK}:{self.tls_port}/0?ssl_ca_certs={quote(str(self.authority))}"

    def lock(self) -> None:
        """Take the rules as `ACL LOAD` would, the passwords put in."""
        text = (REPOSITORY / "deploy/redis.acl").read_text()
        for name, word in WORDS.items():
            text = text.replace(name, word)
        with redis.Redis(LOOPBACK, self.port) as connection:
            connection.execute_command("ACL", "SETUSER", "operator", "on", f">{OPERATOR}", "~*", "+@all")
            for line in text.splitlines():
                connection.execute_command("ACL", "SETUSER", *line.split()[1:])


@pytest.fixture(scope="module")
def locked(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("locked-redis")
    with LockedRedis(folder / "redis") as server:
        server.lock()
        with Stack(Plan(folder / "stack", registry=False, workers=0), redis=server, dockerd=dockerd) as running:
            running.add_worker("guarded", settings={"SHIPWAY_REDIS_URL": server.url_of("worker")})
            yield running


def _connection(stack: Stack, user: str) -> redis.Redis:
    assert isinstance(stack.redis, LockedRedis)
    return redis.Redis.from_url(stack.redis.url_of(user))


def test_build_goes_through_with_a_password_and_few_rights(locked: Stack) -> None:
    with HttpApi(locked.service.url, locked.token) as api:
        job = api.succeed(script("FROM base", f"RUN echo {once()}"), tags=[f"locked-{once()}"])
        cancelled = api.submit(script("FROM base", f"RUN echo up; sleep 600 # {once()}"))
        api.wait_for_text(cancelled.id, "up")
        api.cancel(cancelled.id)

        assert api.wait(cancelled.id).state == "cancelled"
        assert job.worker == "guarded"


def test_nobody_gets_in_without_a_password(locked: Stack) -> None:
    with redis.Redis(LOOPBACK, locked.redis.port) as connection, pytest.raises(AuthenticationError):
        connection.ping()


@pytest.mark.parametrize("key", [keys.token("0" * 16), keys.TOKENS, keys.TRUST, keys.AUDIT, "else"])
def test_worker_can_not_touch_what_says_who_may_do_what(locked: Stack, key: str) -> None:
    with _connection(locked, "worker") as connection:
        for command in ("GET", "DEL", "DUMP"):
            with pytest.raises(NoPermissionError):
                connection.execute_command(command, key)


FOR_THE_SERVICE = {"idempotency", "token", "tokens", "trust", "audit"}
"""Kinds of keys that a worker has nothing to do with."""
READ_ONLY = {"logins", "webhooks"}
"""Kinds that a worker reads and nothing else."""
NAMES = re.findall(r"^\| `(\S+)` ", keys.__doc__ or "", re.MULTILINE)


@pytest.mark.parametrize("key", NAMES)
def test_each_key_is_open_to_those_who_need_it(locked: Stack, key: str) -> None:
    written = re.sub(r"{\w+}", "x", key)
    kind = written.split(":")[1]
    command = "GET" if kind in READ_ONLY else "DEL"
    with redis.Redis(LOOPBACK, locked.redis.port, username="operator", password=OPERATOR) as connection:
        told = {
            user: connection.execute_command("ACL", "DRYRUN", user, command, written) for user in ("service", "worker")
        }

    assert told["service"] == b"OK"
    assert (told["worker"] == b"OK") is (kind not in FOR_THE_SERVICE)


@pytest.mark.parametrize("user", ["service", "worker"])
@pytest.mark.parametrize("command", ["CONFIG GET *", "FLUSHALL", "KEYS *", "ACL LIST", "SHUTDOWN"])
def test_nobody_can_administer(locked: Stack, user: str, command: str) -> None:
    with _connection(locked, user) as connection, pytest.raises(NoPermissionError):
        connection.execute_command(*command.split())
