"""Image references by the distribution grammar.

Source: the reference grammar of the distribution project (`name[:tag][@digest]`, name =
`[domain/]path-component[/path-component…]`) and Docker's familiar short forms: no domain means Docker Hub,
no tag means `latest`. Every reference is parsed here before it goes near a daemon: the daemon's client puts
names into URL paths, where `x/../../containers/json` would be another call.
"""

from __future__ import annotations

import re
from typing import NamedTuple

DEFAULT_DOMAIN = "docker.io"
_HUB_HOSTS = {DEFAULT_DOMAIN, "index.docker.io", "registry-1.docker.io", "auth.docker.io"}

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?"
_PATTERN = re.compile(
    rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?"
)
_MAX_NAME = 255
_BARE_ID = r"[0-9a-f]{64}"


class Reference(NamedTuple):
    """A parsed image reference.

    Attributes:
        domain: registry host with its port if given; `docker.io` when the text named none.
        path: repository in that registry.
        tag: tag, or None when only a digest was given.
        digest: `sha256:…`, or None.
    """

    domain: str
    path: str
    tag: str | None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse a reference as Docker does.

        Raises:
            ValueError: the text is not a reference.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:200]!r} is not an image reference (registry/name:tag, lower case)")
        domain, path = match["domain"], match["path"]
        if domain is not None and not _is_host(domain):
            if domain != domain.lower() or not re.fullmatch(_COMPONENT, domain):
                raise ValueError(f"{text[:200]!r} is not an image reference: names are lower case")
            domain, path = None, f"{domain}/{path}"
        if domain is None and re.fullmatch(_BARE_ID, path):
            raise ValueError(f"{text[:200]!r} is an image id, not a name")
        if domain in (None, "index.docker.io", DEFAULT_DOMAIN):
            domain, path = DEFAULT_DOMAIN, path if "/" in path else f"library/{path}"
        if len(domain) + 1 + len(path) > _MAX_NAME:
            raise ValueError(f"an image name has at most {_MAX_NAME} characters")
        tag = match["tag"] or (None if match["digest"] else "latest")
        return cls(domain, path, tag, match["digest"])

    @property
    def name(self) -> str:
        """Registry and repository without tag or digest, in Docker's familiar short form."""
        if self.domain != DEFAULT_DOMAIN:
            return f"{self.domain}/{self.path}"
        return self.path.removeprefix("library/") if self.path.count("/") == 1 else self.path

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def registry_host(name: str) -> str:
    """Reduce the many names of a registry (URL, host, Docker Hub's several hosts) to one."""
    host = (name.partition("://")[2] or name).partition("/")[0].lower()
    return DEFAULT_DOMAIN if host in _HUB_HOSTS else host


def is_registry(host: str) -> bool:
    """Whether this can be the host of a registry, with its port if need be."""
    return re.fullmatch(_DOMAIN, host) is not None


def _is_host(first: str) -> bool:
    return "." in first or ":" in first or first == "localhost" or first != first.lower()
