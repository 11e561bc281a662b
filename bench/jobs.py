"""Jobs that have no command of their own yet, through the HTTP API and the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx

from bench.workloads import MIB
from deploy.local.plain_http import PLAIN
from deploy.local.processes import PartError
from deploy.local.servers import authorization
from deploy.local.waiting import wait_until
from shipway.client import Client
from shipway.models.job import Job, JobState

_PATIENCE = 600.0


class Api:
    """One client of the service, its connections kept open."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers=authorization(token), timeout=_PATIENCE, **PLAIN)
        self._client = Client(url, token=token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._http.close()

    def submit(self, path: str, body: dict[str, Any]) -> str:
        """Start a job, or one of each worker's of which the first counts; returns its id."""
        answer = self._http.post(path, json=body)
        if not answer.is_success:
            raise PartError(f"POST {path}: {answer.text}")
        told = answer.json()
        return str(told["jobs"][0]["id"] if "jobs" in told else told["id"])

    def finished(self, job_id: str) -> Job:
        """Wait for a job to succeed; raises PartError."""
        job = self._client.wait(job_id)
        if job.state is not JobState.SUCCEEDED:
            raise PartError(f"{job.kind} job {job_id} {job.state}: {job.error.message if job.error else ''}")
        return job

    def cancel(self, job_id: str) -> None:
        """Ask for a job to be cancelled."""
        self._client.cancel(job_id)

    def ended(self, job_id: str) -> Job:
        """Wait for a job to end in whatever way."""
        return self._client.wait(job_id)

    def do(self, path: str, body: dict[str, Any]) -> Job:
        """Start a job and wait for it to succeed; raises PartError."""
        return self.finished(self.submit(path, body))

    def await_image(self, name: str) -> None:
        """Wait until the service knows that its worker has an image that was made behind its back."""

        def known() -> bool:
            images = self._http.get("/v1/images").raise_for_status().json()["images"]
            return any(name in image["tags"] for image in images)

        if not wait_until(known, 60):
            raise PartError(f"the service has not heard of {name}")

    def upload_context(self, root: Path) -> str:
        """Upload a directory; returns its digest."""
        return self._client.upload_context(root).digest

    def upload_archive(self, file: Path) -> str:
        """Upload an archive; returns its name for a load."""
        answer = self._http.post("/v1/artifacts", content=_chunks(file))
        if not answer.is_success:
            raise PartError(f"POST /v1/artifacts: {answer.text}")
        return str(answer.json()["artifact"])

    def download_archive(self, job_id: str, file: Path) -> None:
        """Write what a save job made into a file."""
        with self._http.stream("GET", f"/v1/jobs/{job_id}/artifact") as answer, file.open("wb") as output:
            answer.raise_for_status()
            for chunk in answer.iter_raw():
                output.write(chunk)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while chunk := content.read(MIB):
            yield chunk
