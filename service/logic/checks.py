"""Checks what a spec names before it is accepted, and settles on which worker it has to run."""

from __future__ import annotations

from ipaddress import ip_address

from service.logic import fleet, limits
from service.process import Process
from shipway.exceptions import InvalidRequest, NotFound
from shipway.models.spec import (
    IMAGE_ID,
    BuildSpec,
    CommitSpec,
    ExportSpec,
    ImportSpec,
    InspectSpec,
    LoadSpec,
    PushSpec,
    RemoveSpec,
    SaveSpec,
    Spec,
    TagSpec,
)
from shipway.models.token import Caller
from shipway.storage.redis import reaching_redis


async def checked(process: Process, caller: Caller, spec: Spec) -> Spec:
    """Return the spec with its worker settled.

    Raises:
        NotFound: there is no such context, artifact, image or worker.
        InvalidRequest: it asks to push without a tag, or to run longer than a job may.
    """
    check_alone(process, caller.project, spec)
    await _check_contexts(process, caller.project, spec)
    await _check_artifact(process, caller.project, spec)
    worker = await _worker(process, caller, spec)
    return spec if worker == spec.worker else spec.model_copy(update={"worker": worker})


def check_alone(process: Process, project: str, spec: Spec) -> None:
    """Check what can be told from a spec alone, before anything is uploaded for it.

    Raises:
        InvalidRequest: as the checks below.
        Unavailable: its client forwards ssh agents, and there is no key to protect that with.
    """
    check_push(spec)
    limits.check_timeout(process, project, spec)
    if isinstance(spec, BuildSpec):
        check_network(process, project, spec)
        if spec.agents:
            process.sealer.require()


def check_network(process: Process, project: str, spec: BuildSpec) -> None:
    """Raise InvalidRequest when a build asks for a network, or a name in it, that its project may not have.

    The host's own network (`host`, and `host-gateway` as an address) leads to what runs on the worker's machine.
    """
    host = process.settings.has_host_network(project)
    allowed = {None, "default", "none"} | ({"host"} if host else set())
    if spec.network not in allowed:
        raise InvalidRequest(
            f"RUN steps may use the network `default` or `none`, not {spec.network!r}; the operator can allow `host` "
            "to a project by SHIPWAY_HOST_NETWORK",
            slug="network-forbidden",
            field="network",
        )
    for line in spec.extra_hosts:
        _, _, address = line.replace("=", ":", 1).partition(":")
        if not (_is_address(address.strip("[]")) or (host and address == "host-gateway")):
            raise InvalidRequest(
                f"{line[:100]!r}: an extra host is NAME:ADDRESS, with an address in numbers",
                slug="extra-host-invalid",
                field="extra_hosts",
            )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def check_push(spec: Spec) -> None:
    """Raise InvalidRequest (`push-without-tag`) when a spec asks to push an image that gets no name."""
    if isinstance(spec, BuildSpec | CommitSpec | ImportSpec) and spec.push and not spec.tags:
        raise InvalidRequest("there is nothing to push: give at least one tag", slug="push-without-tag", field="tags")


async def _check_contexts(process: Process, project: str, spec: Spec) -> None:
    wanted = [(field, getattr(spec, field, None)) for field in ("context", "dockerfile_context")]
    if isinstance(spec, BuildSpec):
        wanted += [("build_contexts", digest) for digest in spec.uploaded_contexts.values()]
    for field, digest in wanted:
        if digest and not await _kept(process, project, digest):
            raise NotFound(f"there is no context {digest}; upload it again", slug="context-unknown", field=field)


async def _kept(process: Process, project: str, digest: str) -> bool:
    """Whether a context is there; if so, it is for as long as if it had been sent just now."""
    async with reaching_redis():
        return await process.blobs.keep_context(project, digest, process.settings.retention) is not None


async def _check_artifact(process: Process, project: str, spec: Spec) -> None:
    if not isinstance(spec, LoadSpec | ImportSpec) or spec.artifact is None:
        return
    if await process.blobs.size(project, spec.artifact) is None:
        raise NotFound(
            f"there is no artifact {spec.artifact}; upload it again", slug="artifact-unknown", field="artifact"
        )
    async with reaching_redis():
        await process.blobs.keep(project, spec.artifact, process.settings.retention)


async def _worker(process: Process, caller: Caller, spec: Spec) -> str | None:
    """The worker a job has to run on: the one that has the image it is about, or the one named."""
    if isinstance(spec, SaveSpec | RemoveSpec):
        return await fleet.worker_with(process, caller, spec.images, spec.worker)
    if isinstance(spec, PushSpec | InspectSpec | TagSpec):
        return await fleet.worker_with(process, caller, [spec.image], spec.worker)
    if isinstance(spec, ExportSpec | CommitSpec) and spec.image is not None:
        return await _worker_for(process, caller, spec.image, spec.worker)
    if spec.worker is not None:
        await fleet.require_worker(process, caller, spec.worker)
    return spec.worker


async def _worker_for(process: Process, caller: Caller, image: str, worker: str | None) -> str | None:
    """The worker that has an image to start a container from; any, which pulls it first, when none has it yet."""
    try:
        return await fleet.worker_with(process, caller, [image], worker)
    except NotFound as fault:
        if fault.slug != "image-unknown" or IMAGE_ID.fullmatch(image):
            raise
        return None
