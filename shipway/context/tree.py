"""The entries of an archive as they would lie on a disk after unpacking it, without unpacking it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shipway.context.limits import Limits
from shipway.context.paths import shown
from shipway.exceptions import ContextError, TooLarge
from shipway.models.context import Entry, EntryType, Manifest

_IMPLIED_MODE = 0o755


class EntryTree:
    """Collects entries in the order of an archive: the last one at a path wins, as with tar.

    A directory is only there once something was put into it or it was put itself. Replacing a directory by
    something else removes what lay below it.
    """

    def __init__(self, limits: Limits, entries: Iterable[Entry] = ()) -> None:
        """Begin with some entries, which count once `recount` is called."""
        self._limits = limits
        self._entries = {entry.path: entry for entry in entries}
        self._children: dict[str, list[str]] = {}
        for path in self._entries:
            self._children.setdefault(path.rpartition("/")[0], []).append(path)
        self._count = 0
        self._name_bytes = 0

    def get(self, path: str) -> Entry | None:
        """Return the entry that is at this path now."""
        return self._entries.get(path)

    def put(self, entry: Entry) -> None:
        """Add an entry, with the parent directories it implies.

        Raises:
            ContextError: a parent is a file or a symbolic link (`context-path-through-link`).
            TooLarge: too many entries (`context-too-many-entries`), or too long names (`context-too-large`).
        """
        parent = entry.path.rpartition("/")[0]
        self._ensure_parents(entry.path, parent)
        if entry.type is not EntryType.DIR:
            self._remove_below(entry.path)
        self._set(entry, parent)

    def remove(self, path: str) -> None:
        """Remove what is at a path, if anything is, and all below it; that counts as an entry does."""
        self._account(len(path))
        if self._entries.pop(path, None) is not None:
            self._remove_below(path)

    def recount(self) -> None:
        """Count what is there now, and nothing else; raises TooLarge as `put` does."""
        self._count = self._name_bytes = 0
        self._account(sum(len(entry.path) + len(entry.link) for entry in self), len(self._entries))

    def __iter__(self) -> Iterator[Entry]:
        """Yield what is there now."""
        return iter(self._entries.values())

    def manifest(self) -> Manifest:
        """Return what is left at the end."""
        return Manifest(self)

    def _ensure_parents(self, path: str, parent: str) -> None:
        missing: list[str] = []
        while parent:
            found = self._entries.get(parent)
            if found is None:
                missing.append(parent)
            elif found.type is EntryType.DIR:
                break
            else:
                raise ContextError(
                    f"the path {shown(path)} leads through {shown(parent)}, which is a {found.type}, not a directory",
                    slug="context-path-through-link",
                )
            parent = parent.rpartition("/")[0]
        for implied in reversed(missing):
            self._set(Entry(implied, EntryType.DIR, _IMPLIED_MODE), implied.rpartition("/")[0])

    def _set(self, entry: Entry, parent: str) -> None:
        self._account(len(entry.path) + len(entry.link))
        if entry.path not in self._entries:
            self._children.setdefault(parent, []).append(entry.path)
        self._entries[entry.path] = entry

    def _account(self, name_length: int, entries: int = 1) -> None:
        self._count += entries
        self._name_bytes += name_length
        if self._count > self._limits.max_entries:
            raise TooLarge(
                f"the context has more than {self._limits.max_entries} entries; leave files out with .dockerignore",
                slug="context-too-many-entries",
            )
        if self._name_bytes > self._limits.max_names:
            raise TooLarge(
                f"the paths of the context take more than {self._limits.max_names} bytes", slug="context-too-large"
            )

    def _remove_below(self, path: str) -> None:
        doomed = self._children.pop(path, [])
        while doomed:
            gone = doomed.pop()
            doomed += self._children.pop(gone, [])
            self._entries.pop(gone, None)
