"""Reads where Redis is: a server's own URL, or that of sentinels, which know which server leads.

::

    redis://[[user]:password@]host[:port][/database]        also rediss:// with TLS
    sentinel://[[user]:password@]host[:port][,host[:port]…]/name[/database]

`name` is that of the monitored group, as `sentinel monitor` has it; user and password are those of its servers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

SCHEME = "sentinel"
PORT = 26379
_URL = re.compile(
    r"sentinel://(?:(?P<user>[^:@/]*):(?P<password>[^@/]*)@)?(?P<hosts>[^@/]+)/(?P<name>[^/]+)(?:/(?P<database>\d+))?"
)
_HOST = re.compile(r"(\[[^\]]+\]|[^:,\[\]]+)(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Sentinels that watch one group of Redis servers; port and database are numbers."""

    hosts: tuple[tuple[str, int], ...]
    name: str
    database: int = 0
    user: str | None = None
    password: str | None = None

    @classmethod
    def of(cls, url: str) -> Self | None:
        """Parse a URL; None when it is that of a server.

        Raises:
            ValueError: it names sentinels in a way that can't be read.
        """
        if not url.startswith(f"{SCHEME}://"):
            return None
        found = _URL.fullmatch(url)
        hosts = [_HOST.fullmatch(host) for host in found["hosts"].split(",")] if found else [None]
        if found is None or not all(hosts):
            raise ValueError("the URL is not of the form sentinel://[[user]:password@]host[:port][,…]/name[/database]")
        return cls(
            hosts=tuple((host[1].strip("[]"), int(host[2] or PORT)) for host in hosts if host),
            name=found["name"],
            database=int(found["database"] or 0),
            user=unquote(found["user"] or "") or None,
            password=unquote(found["password"] or "") or None,
        )

    @property
    def broker(self) -> str:
        """The same for kombu, which takes a URL per sentinel and the group's name beside them."""
        login = f"{quote(self.user or '', safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        hosts = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return ";".join(f"{SCHEME}://{login}{host}/{self.database}" for host in hosts)
