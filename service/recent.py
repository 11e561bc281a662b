"""Manifests that were made last: a listing of changes is mostly one of changes to them."""

from __future__ import annotations

from collections import OrderedDict

from shipway.models.context import Manifest

ENTRIES = 60_000
"""Entries that are remembered, all manifests together; each takes about 1,100 bytes with the lines made of it."""


class RecentManifests:
    """The manifests used last, by project and digest. Manifests never change: one that is here is what the store has.

    Args:
        entries: how many entries they may have together.
    """

    def __init__(self, entries: int = ENTRIES) -> None:
        self._room = entries
        self._manifests: OrderedDict[tuple[str, str], Manifest] = OrderedDict()

    def get(self, project: str, digest: str) -> Manifest | None:
        """Return a manifest, or None if it is not remembered."""
        manifest = self._manifests.get((project, digest))
        if manifest is not None:
            self._manifests.move_to_end((project, digest))
        return manifest

    def put(self, project: str, manifest: Manifest) -> None:
        """Remember a manifest; those that were not used for longest are forgotten."""
        key = (project, manifest.digest)
        if key not in self._manifests:
            self._room -= len(manifest)
        self._manifests[key] = manifest
        self._manifests.move_to_end(key)
        while self._room < 0:
            _, forgotten = self._manifests.popitem(last=False)
            self._room += len(forgotten)
