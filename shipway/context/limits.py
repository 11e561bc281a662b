"""What a context may cost. Checked while streaming, before anything is stored for good."""

from __future__ import annotations

from typing import NamedTuple

from shipway.exceptions import TooLarge

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class Limits(NamedTuple):
    """Upper bounds for one uploaded context.

    Attributes:
        max_bytes: bytes of the plain (decompressed) archive.
        max_entries: entries, counting repeated ones and the parent directories that were only implied.
        max_ratio: plain bytes per compressed byte, once more than `ratio_floor` plain bytes were produced.
        ratio_floor: plain bytes that may appear before the ratio counts (a small file of zeros is no attack).
        max_path: bytes of one path or link target.
        max_component: bytes of one name within a path (what Linux filesystems take).
        max_metadata: bytes of one PAX header or GNU long name.
        max_names: bytes of all paths and link targets together. They are what an index keeps in memory: without
            this, 5 MB of archive with deep paths would become gigabytes of implied parent directories.
    """

    max_bytes: int = 20 * GIB
    max_entries: int = 1_000_000
    max_ratio: int = 200
    ratio_floor: int = 16 * MIB
    max_path: int = 4096
    max_component: int = 255
    max_metadata: int = MIB
    max_names: int = 256 * MIB

    def check_bytes(self, total: int) -> None:
        """Raise TooLarge (`context-too-large`) when an archive of `total` plain bytes passes the limit."""
        if total > self.max_bytes:
            raise TooLarge(
                f"the context has more than {self.max_bytes} bytes; leave files out with .dockerignore",
                slug="context-too-large",
            )
