"""The SDK: `AsyncClient`, and `Client` with the same names for code without asyncio.

::

    from shipway.client import Client

    with Client() as client:
        job = client.build(".", tags=["registry.example/app:1"], push=True)
        for event in client.events(job.id):
            print(event.body)
        print(client.wait(job.id, check=True).result.image_id)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shipway.client.aio import AsyncClient
    from shipway.client.answers import JobPage
    from shipway.client.sync import Client

__all__ = ["AsyncClient", "Client", "JobPage"]

_HOMES = {"AsyncClient": "aio", "JobPage": "answers", "Client": "sync"}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: `shipway build` needs parts of this package, and none of these."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
