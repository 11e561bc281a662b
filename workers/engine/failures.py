"""Says whose fault an error is: reads the words of daemons and registries, answers with a slug.

Docker's errors are prose. The rules below were written against messages that Engine 20.10 and 28 really gave.
What no rule knows counts as the user's: most of what builders say is about the Dockerfile, and building a wrong
one three times helps nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiodocker import DockerError

from shipway.exceptions import BuildSystemError, BuildUserError, JobError, RequestError

MAX_MESSAGE = 2000
"""Characters of a daemon's message that are passed on; some quote the whole command."""


@dataclass(frozen=True, slots=True)
class Rule:
    """If the pattern occurs in a message, the error is of this kind."""

    slug: str
    kind: type[JobError]
    pattern: re.Pattern[str]


def _rule(slug: str, kind: type[JobError], *patterns: str) -> Rule:
    return Rule(slug, kind, re.compile("|".join(patterns), re.IGNORECASE))


_DISK = _rule("disk-full", BuildSystemError, r"no space left on device", r"disk quota exceeded")
_DENIED = _rule(
    "registry-denied",
    BuildUserError,
    r"unauthorized",
    r"\bdenied: ",
    r"no basic auth credentials",
    r"authentication required",
    r"insufficient[_ ]scope",
    r"authorization failed",
    r"401 unauthorized",
    r"403 forbidden",
)
_UNREACHABLE = _rule(
    "registry-unreachable",
    BuildSystemError,
    r"connection refused",
    r"no such host",
    r"\bi/o timeout",
    r"dial tcp",
    r"TLS handshake timeout",
    r"network is unreachable",
    r"temporary failure in name resolution",
    r"server misbehaving",
    r"connection reset by peer",
    r"request canceled while waiting for connection",
)
UNTRUSTED = re.compile(r"x509: |certificate signed by unknown authority", re.IGNORECASE)
ABOUT_TRUST = "the worker's machine needs the registry's CA in /etc/docker/certs.d/HOST/ca.crt"
"""Docker's own place; its documentation: "Test an insecure registry", "Use self-signed certificates"."""
_UNTRUSTED = Rule("registry-untrusted", BuildSystemError, UNTRUSTED)
_NO_REPOSITORY = _rule(
    "repository-unknown",  # some registries want a repository to be made before the first push
    BuildUserError,
    r"name[ _]unknown",
    r"repository .*(not found|not known|does not exist)",
    r"\b404 not found",
)
_REGISTRY_ERROR = _rule(
    "registry-error",
    BuildSystemError,
    r"received unexpected HTTP status: 5\d\d",
    r"unexpected status.*: 5\d\d",
    r"\b5\d\d (internal server error|bad gateway|service unavailable|gateway timeout)",
    r"toomanyrequests",
    r"429 too many requests",
    r"unknown blob",
    r"blob upload (unknown|invalid)",
)

_BUILD = (
    _DISK,
    _rule(
        "download-failed",
        BuildUserError,
        r"ADD failed: (Get|failed to GET) ",
        r"invalid response status \d+",
        r"failed to load cache key: (Get|Head) ",
    ),
    _rule(
        "dockerfile-missing",
        BuildUserError,
        r"failed to read dockerfile: open .*no such file",
        r"cannot locate specified Dockerfile",
        r"failed to read dockerfile: .* is a directory",
    ),
    _rule(
        "target-unknown",
        BuildUserError,
        r"target stage .*could not be found",
        r"failed to reach build target",
    ),
    _rule(
        "platform-unsupported",
        BuildUserError,
        r"no match for platform",
        r"no matching manifest for",
        r"does not match the specified platform",
        r"does not match the detected host platform",
        r"operating system is not supported",
        r"unknown operating system or architecture",
        r"is an invalid (OS|component)",
        r"exec format error",
        r"\"platform\" requires .* experimental",
    ),
    _rule("pattern-invalid", BuildUserError, r"syntax error in pattern", r"illegal exclusion pattern"),
    _rule(
        "dockerfile-syntax",
        BuildUserError,
        r"dockerfile parse error",
        r"unknown instruction",
        r"unknown flag",
        r"file with no instructions",
        r"the Dockerfile cannot be empty",
        r"no build stage in current context",
        r"requires (at least|exactly) .* argument",
        r"failed to parse",
        r"failed to process \"",
        r"invalid reference format",
        r"base name .* should not be blank",
        r"failed to create LLB definition",
        r"syntax error",
        r"circular dependency",
    ),
    _rule(
        "secret-missing",
        BuildUserError,
        r"secret .*: not found",
        r"secret .*not found",
        r"no secret '",
        r"no access allowed to secret",
    ),
    _rule("ssh-key-missing", BuildUserError, r"no ssh key '"),
    _rule(
        "copy-source-missing",
        BuildUserError,
        r"failed to calculate checksum of ref",
        r"failed to compute cache key: .*not found",
        r"failed to walk .*no such file",
        r"(COPY|ADD) failed: ",
        r"no source files were specified",
    ),
)
_LOGIN_WANTED = _rule("registry-denied", BuildUserError, r"no basic auth credentials", r"unauthorized: ")
_FROM_REGISTRY = (_DENIED, _UNTRUSTED, _UNREACHABLE, _REGISTRY_ERROR)
_BASE_UNKNOWN = _rule(
    "base-image-unknown",
    BuildUserError,
    r"pull access denied",
    r"repository does not exist",
    r"manifest (for .* )?(unknown|not found)",
    r"manifest unknown",
    r"name unknown",
    r"failed to resolve source metadata .*not found",
    r"failed to load metadata .*not found",
    r"docker\.io/.*: not found",
    r": not found$",
)
_STEP = _rule(
    "step-failed",
    BuildUserError,
    r"did not complete successfully: exit code",
    r"executor failed running",
    r"returned a non-zero code",
    r"process .* did not complete",
    r"OCI runtime create failed",
    r"runc run failed",
)
_MACHINERY = _rule(
    "build-error",
    BuildSystemError,
    r"failed to (mount|prepare|create (ref|snapshot|temp dir|endpoint)|commit|export)",
    r"error creating overlay mount",
    r"layer does not exist",
    r"snapshot .*(not found|does not exist)",
    r"input/output error",
    r"cannot allocate memory",
    r"too many open files",
    r"resource temporarily unavailable",
    r"\blocked: unavailable",
    r"database not open",
    r"read-only file system",
    r"unexpected EOF",
    r"containerd",
    r"failed to create shim",
)
_CANCELLED = _rule("build-interrupted", BuildSystemError, r"context cancell?ed", r"\bgraceful stop\b")
_SESSION = _rule(
    "daemon-lost", BuildSystemError, r"no active sessions?", r"session .* not found", r"transport is closing"
)
_NO_CONTEXTS = _rule("build-contexts-unsupported", BuildUserError, r"unsupported frontend capability \S+\.contexts")
_NO_BUILDKIT = _rule("buildkit-unsupported", BuildUserError, r"buildkit.*not (supported|enabled)")
_ON_BUILD = (
    *_BUILD,
    _SESSION,
    _LOGIN_WANTED,
    _BASE_UNKNOWN,
    *_FROM_REGISTRY,
    _NO_BUILDKIT,
    _NO_CONTEXTS,
    _CANCELLED,
    _MACHINERY,
)

_WRAPPING = re.compile(
    r"^(?:failed to solve(?: with frontend [\w.-]+)?|rpc error: code = \w+ desc =|failed to build LLB|"
    r"failed to create LLB definition|error from sender):? ",
)
_EXIT_CODE = re.compile(r"(?:exit code|non-zero code): ?(\d+)")


def of_build(message: str, *, step: str | None = None, ran: bool = False) -> JobError:
    """Judge the error at the end of a build's stream.

    Args:
        message: the daemon's words.
        step: name of the step that failed, if one did.
        ran: whether that step is a command of the user's, so that the fault is likely in it.
    """
    plain = _unwrapped(message)
    if _STEP.pattern.search(plain) and not _DISK.pattern.search(plain):
        return BuildUserError(_cut(plain), slug="step-failed", step=step)
    if step is not None and step.startswith(("http://", "https://")):  # BuildKit's name for what ADD fetches
        return BuildUserError(_cut(plain), slug="download-failed", step=step)
    for rule in _ON_BUILD:
        if rule.pattern.search(plain):
            if rule.slug == "pattern-invalid" and step is None:  # the daemon says no more than that
                plain = f"{plain}: a line of .dockerignore (or a source of COPY or ADD) can't be read, a lone '[' say"
            return rule.kind(_cut(plain), slug=rule.slug, step=step)
    return BuildUserError(_cut(plain), slug="step-failed" if ran else "build-failed", step=step)


def of_push(message: str, reference: str) -> JobError:
    """Judge the error in a push's stream."""
    for rule in (_DENIED, _UNTRUSTED, _NO_REPOSITORY, _REGISTRY_ERROR, _UNREACHABLE, _DISK):
        if rule.pattern.search(message):
            return rule.kind(_cut(f"pushing {reference}: {message}"), slug=rule.slug)
    if re.search(r"does not exist|no such image", message, re.IGNORECASE):
        return BuildSystemError(_cut(f"pushing {reference}: {message}"), slug="image-missing")
    return BuildSystemError(_cut(f"pushing {reference}: {message}"), slug="registry-error")


def of_answer(error: DockerError) -> JobError:
    """Judge an HTTP error that the daemon answered to a build."""
    if error.status == 431:  # noqa: PLR2004 - Request Header Fields Too Large
        return BuildUserError(
            "the options of this build are too large for a Docker daemon", slug="build-options-too-large"
        )
    judged = of_build(error.message)
    if judged.slug == "build-failed" and error.status >= 500 and error.message.strip() == "":  # noqa: PLR2004
        return BuildSystemError(f"the daemon answered {error.status} and no reason", slug="build-error")
    return judged


def of_context(cause: Exception) -> JobError:
    """Judge the error that kept a context from being read."""
    if isinstance(cause, JobError):
        return cause
    if isinstance(cause, RequestError):  # the files themselves are wrong, a pattern in .dockerignore, say
        return BuildUserError(cause.message, slug=cause.slug)
    return BuildSystemError(_cut(f"the context can't be read: {cause}"), slug="context-unreadable")


def exit_code(message: str) -> int | None:
    """Return the exit code that a failed step's message tells, or None."""
    found = _EXIT_CODE.search(message)
    return int(found[1]) if found else None


def _unwrapped(message: str) -> str:
    """Take away the layers of `failed to solve: rpc error: …` that BuildKit wraps around what happened."""
    while (shorter := _WRAPPING.sub("", message, count=1)) != message:
        message = shorter
    return message.strip() or "the daemon gave no reason"


def _cut(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
