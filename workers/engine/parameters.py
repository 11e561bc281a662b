"""What a build is asked with: the query of `POST /build`, or BuildKit's own request.

Sources: Docker Engine API 1.41 to 1.51, `ImageBuild`, and moby's own client; for BuildKit, what the daemon itself makes
of that query (moby `builder/builder-next/builder.go`), and buildx for further contexts.
"""

from __future__ import annotations

import json

from shipway.models.spec import BuildSpec
from workers.engine.session.proto.control_pb2 import CacheOptions, CacheOptionsEntry, SolveRequest

Pairs = list[tuple[str, str]]
INLINE_CACHE = "BUILDKIT_INLINE_CACHE"
"""A build argument that is none: with it the image carries its own cache."""
NETWORK_HOST = "network.host"


def buildkit_parameters(spec: BuildSpec, *, session: str, build_id: str) -> Pairs:
    """For BuildKit, which takes all files from the session `session`."""
    asked = [("version", "2"), ("remote", "client-session"), ("session", session), ("buildid", build_id)]
    return asked + _shared(spec, spec.dockerfile)


def classic_parameters(spec: BuildSpec, *, dockerfile: str) -> Pairs:
    """For the classic builder, which takes a tar as the body and removes its containers, also on failure."""
    return [("version", "1"), ("rm", "1"), ("forcerm", "1"), *_shared(spec, dockerfile)]


def directory_name(context: str) -> str:
    """The name by which the session serves a further context; `context` and `dockerfile` are taken."""
    return f"named-{context}"


def solve_request(spec: BuildSpec, *, session: str, build_id: str) -> SolveRequest:
    """For BuildKit past `POST /build`: the same, further contexts, attestations, and steps for a registry."""
    exports = [CacheOptionsEntry(Type="inline")] if _inline(spec) else []
    if spec.cache_to is not None:
        exports.append(CacheOptionsEntry(Type="registry", Attrs={"ref": spec.cache_to, "mode": spec.cache_mode}))
    return SolveRequest(
        Ref=build_id,
        Exporter="moby",
        Session=session,
        Frontend="dockerfile.v0",
        FrontendAttrs=_frontend_attributes(spec),
        Cache=CacheOptions(Exports=exports),
        Entitlements=[NETWORK_HOST] if spec.network == "host" else [],
    )


def _inline(spec: BuildSpec) -> bool:
    return spec.build_args.get(INLINE_CACHE, "").lower() in ("1", "t", "true")


def _frontend_attributes(spec: BuildSpec) -> dict[str, str]:
    given = {
        "target": spec.target,
        "platform": spec.platform,
        "force-network-mode": spec.network if spec.network != "default" else None,
        "cache-from": ",".join(spec.cache_from),
        "attest:provenance": spec.provenance and f"mode={spec.provenance}",
        "attest:sbom": spec.sbom and f"generator={spec.sbom}",
        "add-hosts": ",".join(host.replace(":", "=", 1) for host in _hosts(spec)),
    }
    return {
        # A frontend that knows no further contexts refuses the build instead of passing them over.
        "frontend.caps": "moby.buildkit.frontend.contexts+forward",
        "filename": spec.dockerfile,
        "image-resolve-mode": "pull" if spec.pull else "default",
        **{name: value for name, value in given.items() if value},
        **({"no-cache": ""} if spec.no_cache else {}),
        **{f"build-arg:{name}": value for name, value in spec.build_args.items()},
        **{f"label:{name}": value for name, value in spec.labels.items()},
        **{f"context:{name}": source for name, source in spec.build_contexts.items()},
        **{f"context:{name}": f"local:{directory_name(name)}" for name in spec.uploaded_contexts},
    }


def _hosts(spec: BuildSpec) -> list[str]:
    """The lines for /etc/hosts with a colon after the name."""
    return [host.replace("=", ":", 1) if ":" not in host.partition("=")[0] else host for host in spec.extra_hosts]


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
    pairs += [("extrahosts", host) for host in _hosts(spec)]
    return pairs
