"""The `shipway` command. What a command needs is imported when it runs, so that `--help` answers at once."""

from __future__ import annotations

from shipway.cycles import look_seldom


def main() -> None:
    """Run the command line and exit with its code."""
    look_seldom()
    from shipway.cli.app import run  # noqa: PLC0415  (see above)

    run()
