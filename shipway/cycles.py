"""How often Python looks for garbage that refers to itself."""

from __future__ import annotations

import gc

_THRESHOLDS = 50_000, 20, 20
"""Of CPython's collector. As it comes it looks through everything after a few thousand entries of a context: a third of
the time that reading one takes."""


def look_seldom() -> None:
    """Look less often from now on, and never at what is loaded already."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
