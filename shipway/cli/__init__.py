"""The `shipway` command. What a command needs is imported when it runs, so that `--help` answers at once."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    from shipway.cli.app import run  # noqa: PLC0415  (see above)

    run()
