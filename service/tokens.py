"""Make a token on the server, where the first one comes from: `python -m service.tokens create --admin`.

It writes to the Redis of `SHIPWAY_REDIS_URL` and prints the token, and nothing else, on standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from pydantic import ValidationError

from shipway.exceptions import Unavailable
from shipway.models.token import DEFAULT_PROJECT, NewToken, Scope, TokenRequest
from shipway.settings import Settings
from shipway.storage.redis import connect, reaching_redis
from shipway.storage.tokens import TokenStore


def main() -> int:
    """Read the command line and do it; returns the exit code."""
    options = _parser().parse_args()
    try:
        wanted = TokenRequest(
            name=options.name,
            project=options.project,
            scopes=tuple(Scope) if options.admin else tuple(map(Scope, options.scope)),
            lifetime=options.lifetime,
        )
        made = asyncio.run(_create(wanted))
    except ValidationError as fault:
        first = fault.errors()[0]
        print(f"error: {first['loc'][0]}: {first['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    except Unavailable as fault:
        print(f"error: {fault.message} SHIPWAY_REDIS_URL says where it is.", file=sys.stderr)  # noqa: T201
        return 1
    print(made.token)  # noqa: T201
    return 0


async def _create(wanted: TokenRequest) -> NewToken:
    redis = connect(Settings().redis_url)
    try:
        async with reaching_redis():
            return await TokenStore(redis).create(wanted.name, wanted.rights, wanted.lifetime)
    finally:
        await redis.aclose()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service.tokens", description="Make tokens on the server.")
    create = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("create", help="make a token")
    create.add_argument("--name", default="made on the server", help="what it is for")
    create.add_argument("--project", default=DEFAULT_PROJECT, help="the tenant it belongs to (default: %(default)s)")
    create.add_argument("--lifetime", type=float, metavar="SECONDS", help="when it expires (default: never)")
    rights = create.add_mutually_exclusive_group(required=True)
    rights.add_argument("--admin", action="store_true", help="all scopes")
    rights.add_argument("--scope", action="append", choices=[scope.value for scope in Scope], help="may be repeated")
    return parser


if __name__ == "__main__":
    sys.exit(main())
