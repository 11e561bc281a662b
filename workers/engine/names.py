"""Names that go into the daemon's URL paths, checked so that they can't become another call.

`x/../../containers/json` in place of an image name would be one (DESIGN §6).
"""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

from shipway.exceptions import BuildUserError
from shipway.models.reference import Reference

_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{4,64}|[0-9a-f]{12,64}")
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
_OURS = re.compile(r"/?shipway-(?P<job>[a-zA-Z0-9][a-zA-Z0-9_.-]*)-(?P<attempt>[0-9]+)-[0-9a-f]{8}")


class Owner(NamedTuple):
    """The attempt of a job that a container was made for."""

    job: str
    attempt: int


def image_name(text: str) -> str:
    """Return an image's id (whole or its first 12 digits and more) as it is, and a name with its tag.

    Raises:
        BuildUserError: it is neither (`invalid-reference`).
    """
    return text if _IMAGE_ID.fullmatch(text) else str(reference(text))


def reference(text: str) -> Reference:
    """Parse an image's name; raises BuildUserError `invalid-reference`."""
    try:
        return Reference.parse(text)
    except ValueError as error:
        raise BuildUserError(str(error), slug="invalid-reference") from None


def container_name(text: str) -> str:
    """Return a container's name or id; raises BuildUserError `invalid-container-name` if it can't be one."""
    if _CONTAINER.fullmatch(text) is None:
        raise BuildUserError(
            f"{text[:200]!r} is not a container's name: letters, digits, '_', '.' and '-', a letter or digit first",
            slug="invalid-container-name",
        )
    return text


def owned_name(attempt: str) -> str:
    """Return a new name for a container of an attempt, which is told as `<job>-<number>`."""
    return container_name(f"shipway-{attempt}-{secrets.token_hex(4)}")


def owner_of(name: str) -> Owner | None:
    """Return the owner that `owned_name` wrote into a name, or None."""
    found = _OURS.fullmatch(name)
    return Owner(found["job"], int(found["attempt"])) if found else None
