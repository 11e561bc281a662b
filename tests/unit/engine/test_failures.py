"""The words of daemons and registries are judged: whose fault, which slug."""

from __future__ import annotations

import pytest
from aiodocker import DockerError

from shipway.exceptions import BuildSystemError, BuildUserError, ContextError
from workers.engine.failures import exit_code, of_answer, of_build, of_context, of_push

SOLVE = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: "
DENIED = (
    "pull access denied, repository does not exist or may require authorization: "
    "server message: insufficient_scope: authorization failed"
)


@pytest.mark.parametrize(
    ("message", "slug", "retryable"),
    [
        (SOLVE + "dockerfile parse error line 3: unknown instruction: FOO", "dockerfile-syntax", False),
        ("dockerfile parse error on line 3: unknown instruction: FOO", "dockerfile-syntax", False),
        (SOLVE + "target stage zz could not be found", "target-unknown", False),
        ("executor failed running [/bin/sh -c x]: exit code: 3", "step-failed", False),
        ('process "/bin/sh -c x" did not complete successfully: exit code: 1', "step-failed", False),
        ("The command '/bin/sh -c x' returned a non-zero code: 2", "step-failed", False),
        (f"nosuch: {DENIED}", "base-image-unknown", False),
        ("failed to resolve source metadata for reg/app:1: reg/app:1: not found", "base-image-unknown", False),
        ('Get "http://reg/v2/": unauthorized: authentication required', "registry-denied", False),
        ('failed to do request: Head "http://r/": dial tcp 1.2.3.4:1: connect: connection refused',
         "registry-unreachable", True),
        ("write /var/lib/docker/x: no space left on device", "disk-full", True),
        ("executor failed running [/bin/sh -c dd]: no space left on device", "disk-full", True),
        ("no active session for abc: context deadline exceeded", "daemon-lost", True),
        ("failed to mount /tmp/x: device or resource busy", "build-error", True),
        ('failed to compute cache key: "/x" not found: not found', "copy-source-missing", False),
        ("something nobody has seen before", "build-failed", False),
        ("", "build-failed", False),
    ],
)  # fmt: skip
def test_end_of_a_build(message: str, slug: str, retryable: bool) -> None:
    error = of_build(message)

    assert (error.slug, error.retryable) == (slug, retryable)
    assert error.message


def test_wrapping_is_taken_off() -> None:
    error = of_build("failed to solve: rpc error: code = Unknown desc = " + SOLVE + "file with no instructions")

    assert error.message == "file with no instructions"


def test_unknown_words_after_a_users_step_blame_the_step() -> None:
    error = of_build("strange", step="[2/2] RUN x", ran=True)

    assert (error.slug, error.step) == ("step-failed", "[2/2] RUN x")


def test_failed_download_names_its_address() -> None:
    error = of_build("dial tcp: connection refused", step="https://example.org/file")

    assert (error.slug, error.retryable, error.step) == ("download-failed", False, "https://example.org/file")


def test_long_messages_are_cut() -> None:
    assert len(of_build("x" * 10_000).message) <= 2001


@pytest.mark.parametrize(
    ("message", "slug", "retryable"),
    [
        ("unauthorized: authentication required", "registry-denied", False),
        ("denied: requested access to the resource is denied", "registry-denied", False),
        ("no basic auth credentials", "registry-denied", False),
        ('Get "http://r/v2/": dial tcp 127.0.0.1:1: connect: connection refused', "registry-unreachable", True),
        ("received unexpected HTTP status: 503 Service Unavailable", "registry-error", True),
        ("toomanyrequests: slow down", "registry-error", True),
        ("An image does not exist locally with the tag: r/x", "image-missing", True),
        ("what is this", "registry-error", True),
    ],
)
def test_end_of_a_push(message: str, slug: str, retryable: bool) -> None:
    error = of_push(message, "r/x:1")

    assert (error.slug, error.retryable) == (slug, retryable)
    assert "r/x:1" in error.message


@pytest.mark.parametrize(
    ("status", "message", "kind", "slug"),
    [
        (431, "", BuildUserError, "build-options-too-large"),
        (500, "", BuildSystemError, "build-error"),
        (400, "dockerfile parse error line 1: x", BuildUserError, "dockerfile-syntax"),
    ],
)
def test_error_answers(status: int, message: str, kind: type[Exception], slug: str) -> None:
    error = of_answer(DockerError(status, message))

    assert (type(error), error.slug) == (kind, slug)


def test_unreadable_contexts() -> None:
    assert of_context(OSError("gone")).slug == "context-unreadable"
    assert of_context(ContextError("bad pattern", slug="dockerignore-invalid")).slug == "dockerignore-invalid"


@pytest.mark.parametrize(("text", "code"), [("exit code: 137", 137), ("non-zero code: 2", 2), ("killed", None)])
def test_exit_codes(text: str, code: int | None) -> None:
    assert exit_code(text) == code
