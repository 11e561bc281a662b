"""The SDK: `AsyncClient`, and `Client` with the same names for code without asyncio.

::

    from shipway.client import Client

    with Client() as client:
        job = client.build(".", tags=["registry.example/app:1"], push=True)
        for event in client.events(job.id):
            print(event.body)
        print(client.wait(job.id, check=True).result.image_id)
"""

from shipway.client.aio import AsyncClient
from shipway.client.answers import JobPage
from shipway.client.sync import Client

__all__ = ["AsyncClient", "Client", "JobPage"]
