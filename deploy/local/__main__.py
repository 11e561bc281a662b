"""`python -m deploy.local up`."""

from __future__ import annotations

import argparse
import sys

from deploy.local.up import up


def main() -> int:
    """Read the command line and do it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser(
        "up", help="run everything in the foreground; settings: SHIPWAY_PORT, SHIPWAY_STATE, DOCKER_HOST"
    )
    parser.parse_args()
    return up()


sys.exit(main())
