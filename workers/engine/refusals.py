"""Says whose fault it is when images or containers don't do: the counterpart of `failures` for all but builds.

Written against messages that Engine 20.10 and 28 really gave. Unlike in builds, what no rule knows counts as the
daemon's or the registry's fault, but for archives and changes: there the daemon's words are all about the input.
"""

from __future__ import annotations

import re

from aiodocker import DockerError

from shipway.exceptions import BuildSystemError, BuildUserError, JobError
from workers.engine.failures import ABOUT_TRUST, MAX_MESSAGE, UNTRUSTED

BAD_REQUEST, NOT_FOUND, CONFLICT = 400, 404, 409

_DISK = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_MACHINE = re.compile(
    r"input/output error|cannot allocate memory|too many open files|resource temporarily unavailable|"
    r"read-only file system|layer does not exist|context cancell?ed",
    re.IGNORECASE,
)
_PLATFORM = re.compile(
    r"operating system is not supported|unknown operating system|is an invalid (OS|component)|exec format error|"
    r"no match(ing manifest)? for|cannot be used on this platform|does not match the specified platform",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"unauthorized|\bdenied\b|authentication required|no basic auth credentials|authorization failed|"
    r"insufficient[_ ]scope|\b40[13] (unauthorized|forbidden)|HTTP (status: )?40[13]\b",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"manifest .*(unknown|not found)|(manifest|name|repository)[ _]unknown|repository .* not found|"
    r"repository name not known|: not found$|HTTP 404 response|^unknown: *$",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"connection refused|connection reset|no such host|i/o timeout|dial tcp|handshake timeout|"
    r"network is unreachable|no route to host|temporary failure in name resolution|server misbehaving|"
    r"request canceled while waiting|server gave HTTP response to HTTPS client|tls:",
    re.IGNORECASE,
)
_NO_SHELL = re.compile(r'"/bin/sh".*(no such file|not found|permission denied)', re.IGNORECASE)
_ABOUT_CONTAINERS = (
    (re.compile("no such container", re.IGNORECASE), "container-unknown"),
    (re.compile("no such image", re.IGNORECASE), "image-missing"),
    (re.compile(r"network \S+ not found"), "network-unknown"),
    (_PLATFORM, "platform-unsupported"),
)
_NO_MANIFEST = re.compile(r"open \S+/(repositories|manifest\.json): no such file")
_INSIDE_DAEMON = re.compile(r"/\S*/tmp/docker-import-\d+/")


def disk_full(message: str) -> BuildSystemError | None:
    """Return the error of a full disk if that is what the message tells."""
    if _DISK.search(message):
        return BuildSystemError(_cut(f"the worker's disk is full: {message}"), slug="disk-full")
    return None


def of_pull(message: str, reference: str) -> JobError:
    """Judge why an image was not pulled."""
    told = _cut(f"pulling {reference}: {message}")
    if (machine := _of_machine(message)) is not None:
        return machine
    if _DENIED.search(message):
        return BuildUserError(told, slug="registry-denied")
    if _PLATFORM.search(message):
        return BuildUserError(told, slug="platform-unsupported")
    if _UNKNOWN.search(message):
        return BuildUserError(told, slug="image-unknown")
    return _of_registry(told)


def of_login(message: str, registry: str) -> JobError:
    """Judge why a registry does not take a login."""
    told = _cut(f"logging in to {registry}: {message}")
    if _DENIED.search(message):
        return BuildUserError(told, slug="registry-denied")
    return _of_registry(told)


def of_load(message: str) -> JobError:
    """Judge why an archive of images was not loaded."""
    if (machine := _of_machine(message)) is not None:
        return machine
    if _PLATFORM.search(message):
        return BuildUserError(_cut(message), slug="platform-unsupported")
    reason = _INSIDE_DAEMON.sub("", message)
    if _NO_MANIFEST.search(message):
        reason = "there is no manifest.json in it"
    return archive_invalid(f"this is not a complete archive of images, as `docker save` makes them: {reason}")


def of_import(error: DockerError, *, changes: bool) -> JobError:
    """Judge why a tar did not become an image; `changes` tells whether changes were asked for."""
    if (machine := _of_machine(error.message)) is not None:
        return machine
    if _PLATFORM.search(error.message):
        return BuildUserError(_cut(error.message), slug="platform-unsupported")
    if error.status == BAD_REQUEST and changes:
        return _change_refused(error.message)
    return archive_invalid(f"this is not a complete tar: {error.message}")


def of_commit(error: DockerError) -> JobError:
    """Judge why a container did not become an image."""
    if (machine := _of_machine(error.message)) is not None:
        return machine
    if error.status == BAD_REQUEST:
        return _change_refused(error.message)
    return of_container(error)


def of_container(error: DockerError) -> JobError:
    """Judge an error about a container."""
    if (machine := _of_machine(error.message)) is not None:
        return machine
    if _NO_SHELL.search(error.message):
        return BuildUserError("the image has no /bin/sh to run commands with", slug="shell-missing")
    for pattern, slug in _ABOUT_CONTAINERS:
        if pattern.search(error.message):
            return BuildUserError(_cut(error.message), slug=slug)
    return BuildSystemError(_cut(error.message), slug="container-failed")


def of_copy(error: DockerError, destination: str) -> JobError:
    """Judge why files were not copied into a container."""
    message = error.message
    if error.status == NOT_FOUND and re.search("could not find the file", message, re.IGNORECASE):
        return BuildUserError(f"there is no directory {destination} in the container", slug="copy-destination")
    if re.search("not a directory", message):
        return BuildUserError(f"{destination} is not a directory in the container", slug="copy-destination")
    if re.search("tar|EOF", message) and not _of_machine(message):
        return archive_invalid(f"the files to copy are not a complete tar: {message}")
    return of_container(error)


def of_image(error: DockerError) -> JobError:
    """Judge an error about an image that the daemon has, or not."""
    if (machine := _of_machine(error.message)) is not None:
        return machine
    if error.status == NOT_FOUND:
        return BuildUserError(_cut(error.message), slug="image-missing")
    if error.status == CONFLICT:
        return BuildUserError(_cut(error.message), slug="image-in-use")
    return BuildSystemError(_cut(error.message), slug="image-failed")


def _of_registry(told: str) -> BuildSystemError:
    """Judge an error of a registry that is nobody's mistake."""
    if UNTRUSTED.search(told):
        return BuildSystemError(f"{told}; {ABOUT_TRUST}", slug="registry-untrusted")
    return BuildSystemError(told, slug="registry-unreachable" if _UNREACHABLE.search(told) else "registry-error")


def archive_invalid(message: str) -> BuildUserError:
    """The archive that came in is no good."""
    return BuildUserError(_cut(message), slug="archive-invalid")


def _change_refused(message: str) -> BuildUserError:
    return BuildUserError(_cut(f"Docker refuses a change: {message}"), slug="change-refused", field="changes")


def _of_machine(message: str) -> BuildSystemError | None:
    if (full := disk_full(message)) is not None:
        return full
    return BuildSystemError(_cut(message), slug="daemon-error") if _MACHINE.search(message) else None


def _cut(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
