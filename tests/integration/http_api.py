"""The API as any HTTP client sees it: no SDK between the tests and the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import httpx

from deploy.local.plain_http import PLAIN
from deploy.local.servers import authorization
from shipway.models.event import Event, Step
from shipway.models.job import Job, JobState
from tests.integration.contexts import once, script, tar_of

Files = Mapping[str, bytes]
TAR = {"Content-Type": "application/x-tar"}
LIMIT = 90.0
"""Seconds that any one job of the tests may take."""


class SentEvent(NamedTuple):
    """One server-sent event: its fields, and the event that its data hold."""

    id: int
    name: str
    event: Event


class HttpApi:
    """A service at a URL, and a token for it."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.http = httpx.Client(base_url=url, headers=authorization(token), timeout=LIMIT, **PLAIN)

    def use(self, token: str) -> None:
        """Go on with another token."""
        self.token = token
        self.http.headers.update(authorization(token))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def upload(self, context: Files | bytes) -> str:
        """Store a context; returns its digest."""
        answer = self.http.post("/v1/contexts", content=_archive(context), headers=TAR)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["digest"])

    def ask(self, context: Files | bytes, headers: Mapping[str, str] | None = None, **options: Any) -> httpx.Response:
        """Upload a context and ask for a build of it by JSON."""
        body = {"context": self.upload(context), **options}
        return self.http.post("/v1/builds", json=body, headers=dict(headers or {}))

    def submit(self, context: Files | bytes, **options: Any) -> Job:
        """Start a build that must be accepted."""
        answer = self.ask(context, **options)
        assert answer.status_code == 202, answer.text
        return Job.model_validate(answer.json())

    def build(self, context: Files | bytes, **options: Any) -> Job:
        """Build and wait for the end, whatever it is."""
        return self.wait(self.submit(context, **options).id)

    def succeed(self, context: Files | bytes, **options: Any) -> Job:
        """Build what must go well."""
        job = self.build(context, **options)
        assert job.state is JobState.SUCCEEDED, job.error
        return job

    def job(self, job_id: str) -> Job:
        answer = self.http.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        return Job.model_validate(answer.json())

    def wait(self, job_id: str) -> Job:
        """Follow a job to its end, and return its record."""
        for _ in self.follow(job_id):
            pass
        return self.job(job_id)

    def wait_for_text(self, job_id: str, text: str) -> None:
        """Follow a job until one of its steps has written `text`; it must still run then."""
        written = ""
        for sent in self.follow(job_id):
            written += getattr(sent.event.body, "text", "")
            if text in written:
                return
        raise AssertionError(f"the job ended without writing {text!r}: {self.job(job_id)}")

    def cancel(self, job_id: str) -> httpx.Response:
        return self.http.post(f"/v1/jobs/{job_id}/cancel")

    def follow(self, job_id: str, headers: Mapping[str, str] | None = None, **query: Any) -> Iterator[SentEvent]:
        """Read the events of a job as they come, until the service ends the stream."""
        path = f"/v1/jobs/{job_id}/events"
        with self.http.stream("GET", path, headers=dict(headers or {}), params=query) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(":")
                if not line and fields:
                    yield _sent(fields)
                    fields = {}
                elif name:
                    fields[name] = value.removeprefix(" ")

    def events(self, job_id: str, **query: Any) -> list[Event]:
        """All events of a job, to its end."""
        return [sent.event for sent in self.follow(job_id, **query)]

    def log(self, job_id: str) -> str:
        answer = self.http.get(f"/v1/jobs/{job_id}/log")
        assert answer.status_code == 200, answer.text
        return answer.text

    @contextmanager
    def busy(self, slots: int = 2) -> Iterator[None]:
        """Keep every slot of the workers taken, so that other jobs stay queued."""
        blockers = [self.submit(script("FROM base", f"RUN echo taken; sleep 600 # {once()}")) for _ in range(slots)]
        try:
            for blocker in blockers:
                self.wait_for_text(blocker.id, "taken")
            yield
        finally:
            for blocker in blockers:
                self.cancel(blocker.id)
            for blocker in blockers:
                self.wait(blocker.id)


def made(api: HttpApi, **wanted: Any) -> dict[str, Any]:
    """Make a token that must be made."""
    answer = api.http.post("/v1/tokens", json={"name": once(), **wanted})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """The status and the slug of an answer that must be an error in the one shape that errors have."""
    assert answer.is_error, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert {"slug", "message", "field", "step", "retryable"} == set(error)
    assert error["message"]
    assert "Traceback" not in answer.text
    return answer.status_code, str(error["slug"])


def user_steps(job: Job) -> list[Step]:
    """The steps of a job's Dockerfile, without the builder's own."""
    return [step for step in job.steps if not step.internal]


def _archive(context: Files | bytes) -> bytes:
    return context if isinstance(context, bytes) else tar_of(context)


def _sent(fields: Mapping[str, str]) -> SentEvent:
    return SentEvent(int(fields["id"]), fields["event"], Event.model_validate(json.loads(fields["data"])))
