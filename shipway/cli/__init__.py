"""The `shipway` command. What a command needs is imported when it runs, so that `--help` answers at once."""

from __future__ import annotations

import gc

_THRESHOLDS = 50_000, 50, 50
"""Of the collector of cycles: as it comes, a tenth of a small build goes into looking through what was loaded."""


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(*_THRESHOLDS)
    from shipway.cli.app import run  # noqa: PLC0415  (see above)

    run()
