"""Paths inside a context: how they are cleaned, and what is refused."""

from __future__ import annotations

from shipway.context.limits import Limits
from shipway.exceptions import ContextError

_SHOWN = 120


def shown(path: str | bytes) -> str:
    """Return a path for use in a message: quoted, made printable, shortened in the middle."""
    text = path if isinstance(path, str) else path.decode("utf-8", "backslashreplace")
    if len(text) > _SHOWN:
        text = f"{text[: _SHOWN // 2]}…{text[-_SHOWN // 2 :]}"
    return repr(text)


def decode_name(raw: bytes, limits: Limits) -> str:
    """Decode a name or link target from an archive.

    Raises:
        ContextError: it is not UTF-8 or holds a NUL (`context-name-encoding`), or is longer than a path may be
            (`context-path-too-long`).
    """
    if len(raw) > limits.max_path:
        raise ContextError(
            f"the path {shown(raw)} has {len(raw)} bytes; {limits.max_path} are allowed", slug="context-path-too-long"
        )
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise ContextError(f"the name {shown(raw)} is not UTF-8", slug="context-name-encoding") from None
    if "\0" in name:
        raise ContextError(f"the name {shown(raw)} holds a NUL byte", slug="context-name-encoding")
    return name


def clean_path(name: str, limits: Limits) -> str:
    """Return the path of an entry without `.`, doubled and trailing slashes; empty for the root itself.

    Raises:
        ContextError: it is absolute or has a `..` component (`context-path-escapes`), or a component is too long
            (`context-path-too-long`).
    """
    if _is_clean(name, limits):
        return name
    if name.startswith("/"):
        raise ContextError(
            f"the path {shown(name)} is absolute; paths must be relative to the context", slug="context-path-escapes"
        )
    parts = [part for part in name.split("/") if part and part != "."]
    for part in parts:
        if part == "..":
            raise ContextError(f"the path {shown(name)} leads out of the context", slug="context-path-escapes")
        # A character has at most four bytes: only long components need to be encoded for counting.
        if len(part) * 4 > limits.max_component and len(part.encode()) > limits.max_component:
            raise ContextError(
                f"a name in the path {shown(name)} is longer than {limits.max_component} bytes",
                slug="context-path-too-long",
            )
    return "/".join(parts)


def _is_clean(path: str, limits: Limits) -> bool:
    """Whether a path is one of the many that need no closer look."""
    short = len(path) * 4 <= limits.max_component
    return short and path[:1] not in "/." and path[-1] != "/" and "//" not in path and "/." not in path
