"""Seal what is kept anew with the first of SHIPWAY_SECRET_KEYS: `python -m service.rotation`.

Credentials of jobs need no such step: they are gone when their job ends.
"""

from __future__ import annotations

import asyncio
import sys

from shipway.exceptions import ShipwayError
from shipway.settings import Settings
from shipway.storage.logins import LoginStore
from shipway.storage.redis import connect, reaching_redis
from shipway.storage.sealing import Sealer


def main() -> int:
    """Do it; returns the exit code."""
    try:
        count = asyncio.run(_reseal(Settings()))
    except ShipwayError as fault:
        print(f"error: {fault.message}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"sealed {count} registry logins anew")  # noqa: T201
    return 0


async def _reseal(settings: Settings) -> int:
    redis = connect(settings.redis_url)
    try:
        async with reaching_redis(limit=None):
            return await LoginStore(redis, Sealer(settings.secret_keys.get_secret_value())).reseal()
    finally:
        await redis.aclose()


if __name__ == "__main__":
    sys.exit(main())
