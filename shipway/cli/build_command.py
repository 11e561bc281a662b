"""`shipway build`, as it is typed: Docker's own names where Docker has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipway.cli import arguments
from shipway.cli.command import ArgumentError, choice, file, flag, optional_argument, text, texts
from shipway.cli.parameters import PUSH, TAGS, WORKER, DetachableCommand

if TYPE_CHECKING:
    from shipway.client.options import BuildKeywords


class Build(DetachableCommand):
    """Build an image, here or from standard input, and maybe push it."""

    path = optional_argument("PATH|URL|-", about="Directory, URL, or - for a tar or a Dockerfile.", default=".")
    tags = TAGS
    dockerfile = text("--file", "-f", metavar="FILE", about="Dockerfile, or - for standard input.")
    build_arg = texts("--build-arg", metavar="NAME[=VALUE]", about="Build-time variable.")
    target = text("--target", metavar="STAGE", about="Stage to stop at.")
    secret = texts("--secret", metavar="id=ID[,src=FILE|,env=NAME]", about="Secret for RUN --mount.")
    ssh = texts("--ssh", metavar="ID[=SOCKET|KEYFILE]", about="Agent here, or private key, for RUN --mount=type=ssh.")
    label = texts("--label", metavar="NAME=VALUE", about="Label for the image.")
    no_cache = flag("--no-cache", about="Run every step anew.")
    pull = flag("--pull", about="Look for newer base images.")
    push = PUSH
    platform = text("--platform", metavar="OS/ARCH", about="Platform to build for.")
    network = text("--network", metavar="MODE", about="Network of RUN steps.")
    add_host = texts("--add-host", metavar="HOST:IP", about="Line for /etc/hosts.")
    cache_from = texts("--cache-from", metavar="NAME", about="Image to take cached steps from.")
    cache_to = text("--cache-to", metavar="NAME|type=registry,ref=NAME", about="Keep the steps in a registry.")
    build_context = texts(
        "--build-context", metavar="NAME=SOURCE", about="Further context: PATH, URL or docker-image://NAME."
    )
    provenance = text("--provenance", metavar="true|mode=max", about="Attest how the image was built.")
    sbom = text("--sbom", metavar="true|generator=IMAGE", about="Attest what is in the image.")
    builder = choice("--builder", of=("buildkit", "classic"), about="Builder of the daemon.", default="buildkit")
    worker = WORKER
    quiet = flag("--quiet", "-q", about="Print nothing but the image's id.")
    iidfile = file("--iidfile", about="Write the image's id here.")
    metadata_file = file("--metadata-file", about="Write what came of it here, as JSON.")

    def run(self) -> int:
        """See `Command`."""
        if self.detach and (self.iidfile or self.metadata_file or self.quiet):
            raise ArgumentError("with --detach there is no image yet for --iidfile, --metadata-file or --quiet")
        agents = arguments.ssh(self.ssh)
        if self.detach and agents.agents:
            raise ArgumentError("with --detach nobody would answer for an ssh agent here; name a private key")
        wanted = self._wanted(agents)
        from shipway.cli.building import BuildCommand, run_build  # noqa: PLC0415  (`--help` needs no client)

        command = BuildCommand(
            self.path, wanted, self.dockerfile, self.manner, self.iidfile, self.metadata_file, agents.agents
        )
        return run_build(command)

    def _wanted(self, agents: arguments.SshSources) -> BuildKeywords:
        cache_to, cache_mode = arguments.cache_to(self.cache_to)
        wanted: BuildKeywords = {
            "tags": self.tags,
            "push": self.push,
            "build_args": arguments.build_args(self.build_arg),
            "target": self.target,
            "platform": self.platform,
            "labels": arguments.labels(self.label),
            "no_cache": self.no_cache,
            "pull": self.pull,
            "network": self.network,
            "extra_hosts": self.add_host,
            "cache_from": arguments.cache_from(self.cache_from),
            "cache_to": cache_to,
            "cache_mode": cache_mode if cache_to else "",
            "builder": self.builder,
            "provenance": arguments.provenance(self.provenance),
            "sbom": arguments.sbom(self.sbom),
            "secrets": arguments.secrets(self.secret),
            "ssh": agents.keys,
            "agents": list(agents.agents),
            "worker": self.worker,
        }
        self.limit(wanted)
        if self.build_context:
            wanted["build_contexts"] = arguments.build_contexts(self.build_context)
        return wanted
