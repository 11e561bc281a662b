"""Two Redis servers, one following the other, and a sentinel that makes the follower lead when the leader dies."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from deploy.local.ports import LOOPBACK, answers, free_port
from deploy.local.processes import Child
from deploy.local.redis import RedisServer
from deploy.local.waiting import wait_until

GROUP = "shipway"
DOWN_AFTER = 1000
"""Milliseconds of silence after which the sentinel takes the leader for dead."""


class WatchedRedis:
    """A group that is reached by the URL of its sentinel."""

    def __init__(self, state: Path) -> None:
        self.leader = RedisServer(state / "leader")
        self.follower = RedisServer(state / "follower", extra=("--replicaof", LOOPBACK, str(self.leader.port)))
        self._port = free_port()
        self._config = state / "sentinel.conf"
        self._sentinel = Child(
            "sentinel", ["redis-server", self._config, "--sentinel"], log=state / "sentinel.log", cwd=state
        )
        self._exit = ExitStack()

    @property
    def url(self) -> str:
        """As SHIPWAY_REDIS_URL takes it; the second sentinel is one that is down."""
        return f"sentinel://{LOOPBACK}:{self._port},{LOOPBACK}:1/{GROUP}/0"

    def fail_over(self) -> None:
        """Kill the leader, and wait until the follower leads."""
        self.leader.child.kill()
        assert wait_until(lambda: self._leading() == self.follower.port, 30)

    def __enter__(self) -> Self:
        self._exit.enter_context(self.leader)
        self._exit.enter_context(self.follower)
        # The sentinel writes what it learns into its file.
        self._config.write_text(
            f"bind {LOOPBACK}\nport {self._port}\n"
            f"sentinel monitor {GROUP} {LOOPBACK} {self.leader.port} 1\n"
            f"sentinel down-after-milliseconds {GROUP} {DOWN_AFTER}\n"
            f"sentinel failover-timeout {GROUP} 5000\n"
        )
        self._exit.callback(self._sentinel.stop)
        self._sentinel.start(lambda: answers(self._port, b"PING\r\n", b"+PONG"))
        assert wait_until(self._follows, 30)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._exit.close()

    def _leading(self) -> int:
        with redis.Redis(port=self._port, decode_responses=True) as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name(GROUP)[1])

    def _follows(self) -> bool:
        """Whether the follower has all that the leader has, and the sentinel knows it."""
        with redis.Redis(port=self._port, decode_responses=True) as sentinel:
            followers = sentinel.sentinel_slaves(GROUP)
        return [one["master-link-status"] for one in followers if not one["is_sdown"]] == ["ok"]
