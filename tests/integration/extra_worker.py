"""One more worker for a while, on a stack that other tests use as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from deploy.local.servers import WorkerProcess
from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from tests.integration.http_api import HttpApi

LISTED = 30
"""Seconds within which a worker that has stopped is off the list."""


@contextmanager
def extra_worker(
    stack: Stack,
    name: str,
    *,
    docker_host: str | None = None,
    concurrency: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[WorkerProcess]:
    """Start a worker as `Stack.add_worker` does; at the end stop it, and wait until nobody counts on it any more.

    A job for all workers would wait for one that is still listed.
    """
    worker = stack.add_worker(name, docker_host=docker_host, concurrency=concurrency, settings=settings)
    try:
        yield worker
    finally:
        worker.stop()
        with HttpApi(stack.service.url, stack.token) as api:
            assert wait_until(lambda: name not in _listed(api), LISTED, every=0.5)


def _listed(api: HttpApi) -> list[str]:
    return [worker["name"] for worker in api.http.get("/v1/workers").raise_for_status().json()["workers"]]
