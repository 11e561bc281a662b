"""A client behind a balancer: it goes on at whichever replica of the service answers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import httpx

from deploy.local.plain_http import PLAIN
from deploy.local.servers import Service, authorization
from shipway.models.event import Event
from shipway.models.job import Job
from tests.chaos.invariants import FINAL, states
from tests.integration.http_api import HttpApi

PAUSE = 0.2
"""Seconds between two tries."""


def follow_anywhere(services: Sequence[Service], job_id: str, limit: float = 240.0) -> list[Event]:
    """Follow a job to its end; returns all of its events as they were seen, resumed at the last number."""
    seen: list[Event] = []
    deadline = time.monotonic() + limit
    for service in cycle(services):
        with HttpApi(service.url, service.token) as api:
            api.http.timeout = httpx.Timeout(25)  # the service sends a comment every 10 s
            try:
                for sent in api.follow(job_id, {"Last-Event-ID": str(len(seen))}):
                    seen.append(sent.event)  # noqa: PERF401  (what came before a break counts)
            except (httpx.HTTPError, AssertionError):
                time.sleep(PAUSE)
        if seen and states(seen)[-1:] and states(seen)[-1] in FINAL:
            return seen
        if time.monotonic() > deadline:
            raise TimeoutError(f"{job_id} did not end within {limit:g} s: {states(seen)}")
    raise ValueError("no replica to follow at")


def submit_anywhere(services: Sequence[Service], body: dict[str, Any], key: str, limit: float = 120.0) -> Job:
    """Ask for a build until a replica accepts it, always by the same Idempotency-Key."""
    answer = _until_answered(services, "/v1/builds", limit, json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    return Job.model_validate(answer.json())


def upload_anywhere(services: Sequence[Service], tar: bytes, limit: float = 120.0) -> str:
    """Upload a context until a replica takes it; returns its digest."""
    answer = _until_answered(
        services, "/v1/contexts", limit, content=tar, headers={"Content-Type": "application/x-tar"}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["digest"])


def cancel_anywhere(services: Sequence[Service], job_id: str, limit: float = 120.0) -> None:
    """Ask for a job to be cancelled until a replica has heard it."""
    answer = _until_answered(services, f"/v1/jobs/{job_id}/cancel", limit)
    assert answer.status_code == 202, answer.text


def _until_answered(
    services: Sequence[Service], path: str, limit: float, headers: Mapping[str, str] | None = None, **request: Any
) -> httpx.Response:
    """The first answer that is not "try again later"."""
    deadline = time.monotonic() + limit
    for service in cycle(services):
        try:
            answer = httpx.post(
                service.url + path,
                headers={**authorization(service.token), **(headers or {})},
                timeout=20,
                **PLAIN,
                **request,
            )
        except httpx.HTTPError:
            answer = None
        if answer is not None and answer.status_code != 503:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody answered {path} within {limit:g} s")
        time.sleep(PAUSE)
    raise ValueError("no replica to ask")
