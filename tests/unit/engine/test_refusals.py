"""Words that daemons really said, and whose fault they tell."""

from __future__ import annotations

import pytest
from aiodocker import DockerError

from shipway.exceptions import BuildSystemError, BuildUserError, JobError
from workers.engine import refusals

USER, SYSTEM = BuildUserError, BuildSystemError
DISK = "Error processing tar file(exit status 1): write /big: no space left on device"


@pytest.mark.parametrize(
    ("message", "kind", "slug"),
    [
        ("manifest for r:5/x:1 not found: manifest unknown: manifest unknown", USER, "image-unknown"),
        ("error parsing HTTP 404 response body: unexpected end of JSON input", USER, "image-unknown"),
        ("unknown: ", USER, "image-unknown"),
        ('Head "http://r:5/v2/x/manifests/1": no basic auth credentials', USER, "registry-denied"),
        ("unauthorized: authentication required", USER, "registry-denied"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", USER, "registry-denied"),
        ("error parsing HTTP 403 response body: unexpected end of JSON input", USER, "registry-denied"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", USER, "platform-unsupported"),
        (
            'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
            SYSTEM,
            "registry-unreachable",
        ),
        (
            'Get "https://r:5/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
            SYSTEM,
            "registry-untrusted",
        ),
        ("received unexpected HTTP status: 500 Internal Server Error", SYSTEM, "registry-error"),
        ("toomanyrequests: slow down", SYSTEM, "registry-error"),
        ("expected HTTP 206 from byte range request", SYSTEM, "registry-error"),
        ("unexpected EOF", SYSTEM, "registry-error"),
        ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", SYSTEM, "disk-full"),
    ],
)
def test_pull(message: str, kind: type[JobError], slug: str) -> None:
    judged = refusals.of_pull(message, "r:5/x:1")

    assert (type(judged), judged.slug) == (kind, slug)


@pytest.mark.parametrize(
    ("message", "slug"),
    [
        ("open /data/tmp/docker-import-21/repositories: no such file or directory", "archive-invalid"),
        ("open /data/tmp/docker-import-21/x.json: no such file or directory", "archive-invalid"),
        ("json: cannot unmarshal object into Go value of type []tarexport.manifestItem", "archive-invalid"),
        (DISK, "disk-full"),
        ("write /data/tmp/docker-import-21/x: input/output error", "daemon-error"),
    ],
)
def test_load_tells_no_folder_of_the_daemon(message: str, slug: str) -> None:
    judged = refusals.of_load(message)

    assert judged.slug == slug
    assert slug == "daemon-error" or "/data/" not in judged.message


@pytest.mark.parametrize(
    ("status", "message", "changes", "slug"),
    [
        (400, "run is not a valid change command", True, "change-refused"),
        (400, "operating system is not supported", True, "platform-unsupported"),
        (500, "unexpected EOF", True, "archive-invalid"),
        (500, DISK, True, "disk-full"),
    ],
)
def test_import(status: int, message: str, changes: bool, slug: str) -> None:
    assert refusals.of_import(DockerError(status, message), changes=changes).slug == slug


@pytest.mark.parametrize(
    ("status", "message", "slug"),
    [
        (400, "ENV requires at least one argument", "change-refused"),
        (404, "No such container: x", "container-unknown"),
        (500, DISK, "disk-full"),
        (409, "cannot commit container which is being removed", "container-failed"),
    ],
)
def test_commit(status: int, message: str, slug: str) -> None:
    assert refusals.of_commit(DockerError(status, message)).slug == slug


@pytest.mark.parametrize(
    ("status", "message", "slug"),
    [
        (404, "Could not find the file /nope in container x", "copy-destination"),
        (400, "extraction point is not a directory", "copy-destination"),
        (500, "archive/tar: invalid tar header", "archive-invalid"),
        (500, DISK, "disk-full"),
        (404, "No such container: x", "container-unknown"),
    ],
)
def test_copy(status: int, message: str, slug: str) -> None:
    assert refusals.of_copy(DockerError(status, message), "/nope").slug == slug
