"""What must be true of every job whatever happened, looked at from outside: over HTTP and in the registry."""

from __future__ import annotations

import httpx

from deploy.local.plain_http import PLAIN
from shipway.models.event import Event, LogChunk, StateChanged
from shipway.models.job import Job, JobState
from tests.integration.http_api import HttpApi

FINAL = frozenset(str(state) for state in JobState if state.final)
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def states(events: list[Event]) -> list[str]:
    """The states a job went through."""
    return [event.body.state for event in events if isinstance(event.body, StateChanged)]


def written(events: list[Event], attempt: int) -> list[str]:
    """The lines that one attempt's steps wrote."""
    text = "".join(e.body.text for e in events if isinstance(e.body, LogChunk) and e.attempt == attempt)
    return text.splitlines()


def digest_in_registry(reference: str) -> str | None:
    """The digest that a registry has under a name, or None."""
    address, _, path = reference.partition("/")
    name, _, tag = path.rpartition(":")
    url = f"http://{address}/v2/{name}/manifests/{tag}"
    answer = httpx.head(url, headers={"Accept": MANIFESTS}, timeout=30, **PLAIN)
    return answer.headers["Docker-Content-Digest"] if answer.is_success else None


def broken(api: HttpApi, job_id: str) -> list[str]:
    """Every invariant that an ended job breaks, in words; an empty list is what it should be."""
    job, events = api.job(job_id), api.events(job_id)
    return [*_of_events(job, events), *_of_result(job)]


def _of_events(job: Job, events: list[Event]) -> list[str]:
    faults = []
    if [event.seq for event in events] != list(range(1, len(events) + 1)):
        faults.append(f"{job.id}: event numbers have gaps: {[event.seq for event in events]}")
    if len(events) != job.events:
        faults.append(f"{job.id}: {len(events)} events, {job.events} recorded")
    ends = [state for state in states(events) if state in FINAL]
    if ends != [job.state] or states(events)[-1:] != ends:
        faults.append(f"{job.id}: final states {ends} of {states(events)}, recorded {job.state}")
    attempts = [event.attempt for event in events]
    if attempts != sorted(attempts):
        faults.append(f"{job.id}: an earlier attempt wrote after a later one: {attempts}")
    return faults


def _of_result(job: Job) -> list[str]:
    if job.state is not JobState.SUCCEEDED:
        return []
    faults = []
    tags = getattr(job.spec, "tags", ()) if getattr(job.spec, "push", False) else ()
    recorded = {pushed.reference: pushed.digest for pushed in job.result.pushed}
    for tag in tags:
        there = digest_in_registry(tag)
        if recorded.get(tag) is None or there != recorded[tag]:
            faults.append(f"{job.id}: {tag} is recorded as {recorded.get(tag)}, its registry has {there}")
    return faults
