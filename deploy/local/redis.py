"""A private Redis server that loses nothing it has acknowledged."""

from __future__ import annotations

from pathlib import Path

from deploy.local.ports import LOOPBACK, answers, free_port
from deploy.local.processes import Child, Part


class RedisServer(Part):
    """`redis-server` on 127.0.0.1, its append-only file in `state` (DESIGN §4: `appendfsync always`, `noeviction`).

    Args:
        state: folder of its data and its log.
        port: any free one if not given.
        program: another server that speaks Redis's language, such as `valkey-server`.
        extra: more arguments for it.
    """

    def __init__(
        self,
        state: Path,
        *,
        port: int | None = None,
        program: str | Path = "redis-server",
        extra: tuple[str, ...] = (),
    ) -> None:
        self.state = state
        self.port = port or free_port()
        self.child = Child("redis", [program, *self._arguments(), *extra], log=state / "redis.log")

    @property
    def url(self) -> str:
        """Database 0, as SHIPWAY_REDIS_URL takes it."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start it (again) on the same port with the data it had; raises PartError."""
        self.state.mkdir(parents=True, exist_ok=True)
        # A server that is still reading its file answers -LOADING, which is not ready.
        self.child.start(lambda: answers(self.port, b"PING\r\n", b"+PONG"))

    def _arguments(self) -> list[str]:
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self.state.resolve()),
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "save": "",
            "daemonize": "no",
        }
        return [word for key, value in settings.items() for word in (f"--{key}", value)]
