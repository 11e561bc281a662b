"""The query of `POST /build`. Source: Docker Engine API 1.41 to 1.51, `ImageBuild`, and moby's own client."""

from __future__ import annotations

import json

from shipway.models.spec import BuildSpec

Pairs = list[tuple[str, str]]


def buildkit_parameters(spec: BuildSpec, *, session: str, build_id: str) -> Pairs:
    """For BuildKit, which takes all files from the session `session`."""
    asked = [("version", "2"), ("remote", "client-session"), ("session", session), ("buildid", build_id)]
    return asked + _shared(spec, spec.dockerfile)


def classic_parameters(spec: BuildSpec, *, dockerfile: str) -> Pairs:
    """For the classic builder, which takes a tar as the body and removes its containers, also on failure."""
    return [("version", "1"), ("rm", "1"), ("forcerm", "1"), *_shared(spec, dockerfile)]


def _shared(spec: BuildSpec, dockerfile: str) -> Pairs:
    # No `t`: the image gets its names only after the build, from a worker that still holds its lease.
    pairs = [("dockerfile", dockerfile)]
    pairs += [("buildargs", json.dumps(spec.build_args))] if spec.build_args else []
    pairs += [("labels", json.dumps(spec.labels))] if spec.labels else []
    pairs += [("cachefrom", json.dumps(spec.cache_from))] if spec.cache_from else []
    pairs += [("target", spec.target)] if spec.target else []
    pairs += [("platform", spec.platform)] if spec.platform else []
    pairs += [("networkmode", spec.network)] if spec.network else []
    pairs += [("nocache", "1")] if spec.no_cache else []
    pairs += [("pull", "1")] if spec.pull else []
    pairs += [
        ("extrahosts", host.replace("=", ":", 1) if ":" not in host.partition("=")[0] else host)
        for host in spec.extra_hosts
    ]
    return pairs
