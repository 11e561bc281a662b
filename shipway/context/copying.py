"""Which entries `SRC:DST` copies, by the rules of a Dockerfile's COPY.

A file goes to DST, or into it when DST ends with a slash; a directory's content goes into DST. Directories that are
missing on the way there are made by the daemon; those that exist keep their modes, so none is sent.
"""

from __future__ import annotations

from posixpath import basename, normpath

from shipway.exceptions import BuildUserError
from shipway.models.context import Entry, EntryType, Manifest


def selected_for_copy(manifest: Manifest, path: str, destination: str) -> tuple[str, list[Entry]]:
    """Return the container's directory to unpack in, and the entries with paths relative to it.

    Raises:
        BuildUserError: there is no such path in the context, or the destination is not absolute.
    """
    if not destination.startswith("/"):
        raise BuildUserError(f"the destination {destination!r} must be an absolute path", slug="copy-destination")
    source = normpath(path).lstrip("/")
    if source == ".":
        return "/", _below(manifest, "", destination.strip("/"))
    entry = manifest.get(source)
    if entry is None:
        raise BuildUserError(f"the context has no {path[:500]!r} to copy", slug="copy-source-missing")
    if entry.type is EntryType.DIR:
        return "/", _below(manifest, f"{source}/", destination.strip("/"))
    target = destination + basename(source) if destination.endswith("/") else destination
    return "/", [entry._replace(path=target.lstrip("/"))]


def _below(manifest: Manifest, prefix: str, target: str) -> list[Entry]:
    inside = [e for e in manifest if e.path.startswith(prefix)]
    start = f"{target}/" if target else ""
    return [e._replace(path=start + e.path.removeprefix(prefix)) for e in inside]
