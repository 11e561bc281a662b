"""A private image registry (`docker-registry` of Debian)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from deploy.local.authority import Certificate
from deploy.local.htpasswd import entry
from deploy.local.ports import LOOPBACK, answers, free_port
from deploy.local.processes import Child, Part


@dataclass(frozen=True)
class Login:
    """The one account of a registry that asks for a login."""

    user: str
    password: str


class Registry(Part):
    """A registry of this machine.

    On 127.0.0.1 every daemon takes it as an insecure one without being told. On another address it needs a certificate
    that the daemons trust (by `/etc/docker/certs.d`).
    """

    def __init__(
        self,
        state: Path,
        *,
        host: str = LOOPBACK,
        port: int | None = None,
        login: Login | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self.state = state.resolve()
        self.host = host
        self.certificate = certificate
        self.port = port or free_port()
        self.login = login
        config = self.state / "config.yml"
        self.child = Child("registry", ["docker-registry", "serve", config], log=self.state / "registry.log")

    @property
    def address(self) -> str:
        """Host and port, as image names begin with: `127.0.0.1:5000`."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{self.address}"

    def start(self) -> None:
        """Start it (again) on the same port with the images it had; raises PartError."""
        self.state.mkdir(parents=True, exist_ok=True)
        if self.login is not None:
            self._htpasswd.write_text(entry(self.login.user, self.login.password) + "\n")
        # JSON is YAML: no YAML library for six settings.
        (self.state / "config.yml").write_text(json.dumps(self._config(), indent=2))
        self.child.start(self._ready)

    def _ready(self) -> bool:
        # 200, 401 where a login is needed, 400 where TLS is: in each case it serves.
        return answers(self.port, b"GET /v2/ HTTP/1.0\r\nHost: x\r\n\r\n", b"HTTP/1.0 ", host=self.host)

    @property
    def _htpasswd(self) -> Path:
        return self.state / "htpasswd"

    def _config(self) -> dict[str, object]:
        config: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.state / "blobs")},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.address, **self._tls()},
        }
        if self.login is not None:
            config["auth"] = {"htpasswd": {"realm": "shipway", "path": str(self._htpasswd)}}
        return config

    def _tls(self) -> dict[str, object]:
        if self.certificate is None:
            return {}
        return {"tls": {"certificate": str(self.certificate.certificate), "key": str(self.certificate.key)}}
