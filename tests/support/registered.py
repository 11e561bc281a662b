"""What a registry has, by its own word."""

from __future__ import annotations

import hashlib

import httpx

from deploy.local.plain_http import PLAIN
from deploy.local.registry import Registry

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def registered(registry: Registry, name: str, tag: str) -> str:
    """The digest of what a registry has under a name, computed from the bytes that it gives out."""
    auth = (registry.login.user, registry.login.password) if registry.login else None
    url = f"{registry.url}/v2/{name}/manifests/{tag}"
    answer = httpx.get(url, headers={"Accept": MANIFEST}, auth=auth, **PLAIN).raise_for_status()
    return f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
